"""Name servers and search domains of the whole node: a drop-in of systemd-resolved."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

PATH = "etc/systemd/resolved.conf.d/50-virtnode.conf"


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the drop-in as long as there is something to say."""
    dns = intent.dns
    if not dns.servers and not dns.search:
        yield Wanted(PATH, ABSENT, "name servers of the links alone")
        return
    lines = ["[Resolve]"]
    lines += [f"DNS={' '.join(dns.servers)}"] if dns.servers else []
    lines += [f"Domains={' '.join(dns.search)}"] if dns.search else []
    told = [", ".join(dns.servers), f"search {', '.join(dns.search)}" if dns.search else ""]
    yield Wanted(
        PATH,
        text_file("".join(f"{line}\n" for line in lines)),
        f"name servers {'; '.join(filter(None, told))}",
    )


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let the resolver read its configuration."""
    services.restart("systemd-resolved.service")


SETTING = Setting("dns", wanted, act)
