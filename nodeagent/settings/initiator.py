"""The name by which iSCSI targets know this node; sessions that are open keep the one they began with."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, override
from nodeagent.tree_files import TreeFiles, text_file

PATH = "etc/iscsi/initiatorname.iscsi"
UNIT = "iscsid.service"
INSTALLED = f"usr/lib/systemd/system/{UNIT}"


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the name in its file."""
    name = intent.storage.initiator if tree.exists(INSTALLED) else ""
    state = text_file(f"InitiatorName={name}\n", 0o600) if name else None
    yield from override(tree, PATH, state, f"iSCSI initiator {name}".rstrip())


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that there is no iSCSI."""
    if intent.storage.initiator and not tree.exists(INSTALLED):
        yield "storage.initiator: this image has no iSCSI"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let the daemon read its name, if it runs."""
    services.restart(UNIT)


SETTING = Setting("initiator", wanted, act, missing)
