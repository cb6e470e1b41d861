"""Time servers: a file of ours where chrony's own configuration says that it looks for more."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

CONFIGURATIONS = ("etc/chrony/chrony.conf", "etc/chrony.conf")
"""Debian's and Fedora's."""
UNITS = {"etc/chrony/chrony.conf": "chrony.service", "etc/chrony.conf": "chronyd.service"}
ENDINGS = {"sourcedir": "sources", "confdir": "conf"}
"""Directives that name folders to look into, the better one first, and how the files in there end."""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the servers in the folder that chrony reads."""
    path = servers_path(tree)
    servers = intent.ntp.servers
    if not path:
        return
    if not servers:
        yield Wanted(path, ABSENT, "time servers of the image alone")
        return
    text = "".join(f"server {server} iburst prefer\n" for server in servers)
    yield Wanted(path, text_file(text), f"time servers {', '.join(servers)}")


def servers_path(tree: TreeFiles) -> str:
    """Find where chrony reads more servers from, in /etc if it can be; empty where nowhere."""
    for configuration in CONFIGURATIONS:
        lines = [line.split() for line in tree.text(configuration).splitlines()]
        folders = [
            (words[1].lstrip("/"), ending)
            for directive, ending in ENDINGS.items()
            for words in lines
            if len(words) == 2 and words[0] == directive
        ]
        # A stable sort: the better directive stays first.
        for folder, ending in sorted(folders, key=lambda found: not found[0].startswith("etc/")):
            return f"{folder}/virtnode.{ending}"
    return ""


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that there is no chrony that could be told."""
    if intent.ntp.servers and not servers_path(tree):
        yield "ntp.servers: this image's chrony looks into no folder (sourcedir, confdir), or there is none"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let chrony read its servers."""
    for configuration in CONFIGURATIONS:
        if tree.exists(configuration):
            services.restart(UNITS[configuration])


SETTING = Setting("ntp", wanted, act, missing)
