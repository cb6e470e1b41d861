"""The node's own name in /etc/hosts, so that it is found without a name server; the rest stays as it is."""

from collections.abc import Iterator, Sequence

from nodeagent.augeas_files import name_in_hosts
from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, like, original, override
from nodeagent.tree_files import TreeFiles, text_file

PATH = "etc/hosts"
OWN_ADDRESS = "127.0.1.1"


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want a line for the node's own name beside the lines of the image."""
    name = intent.system.hostname
    if not name:
        yield from override(tree, PATH, None, "hosts")
        return
    image = original(tree, PATH)
    text = name_in_hosts(image.data.decode(errors="replace"), OWN_ADDRESS, name)
    yield from override(tree, PATH, like(image, text_file(text)), f"hosts: {name} is this machine")


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Nobody needs to be told: the file is read at each look-up."""


SETTING = Setting("hosts", wanted, act)
