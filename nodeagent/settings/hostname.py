"""The host name: /etc/hostname, and the kernel's."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, override
from nodeagent.tree_files import TreeFiles, text_file

PATH = "etc/hostname"
FROM_DHCP = "localhost"
"""What the image has where the name is left to DHCP."""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the name in its file."""
    name = intent.system.hostname
    yield from override(tree, PATH, text_file(f"{name}\n") if name else None, f"host name {name}".rstrip())


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let the kernel have the name that the file has now."""
    name = tree.text(PATH).strip()
    services.set_hostname("" if name == FROM_DHCP else name)


SETTING = Setting("hostname", wanted, act)
