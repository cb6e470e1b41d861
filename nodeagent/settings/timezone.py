"""The time zone: the link /etc/localtime, and whoever wants to know."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, override
from nodeagent.tree_files import TreeFiles, symlink

PATH = "etc/localtime"
ZONES = "usr/share/zoneinfo"


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the link to lead to the zone, if this image has it."""
    zone = intent.system.timezone
    if zone and not tree.exists(f"{ZONES}/{zone}"):
        return
    link = symlink(f"../{ZONES}/{zone}") if zone else None
    yield from override(tree, PATH, link, f"time zone {zone}".rstrip())


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Name a zone that this image does not have."""
    zone = intent.system.timezone
    if zone and not tree.exists(f"{ZONES}/{zone}"):
        yield f"system.timezone: this image does not know {zone}; it knows what is below /{ZONES}"


def read_timezone(tree: TreeFiles) -> str:
    """Return the zone that the link leads to now; empty where it leads nowhere."""
    state = tree.state(PATH)
    return (state.content or "").partition(f"{ZONES}/")[2] if state.link else ""


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Tell the zone that the link leads to now."""
    zone = read_timezone(tree)
    if zone:
        services.set_timezone(zone)


SETTING = Setting("timezone", wanted, act, missing)
