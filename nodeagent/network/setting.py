"""The network as a setting: units of systemd-networkd, and which links must be made anew for them."""

import re
from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.network.units import PREFIX, network_units
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

FOLDER = "etc/systemd/network"
NAME = re.compile(r"^Name=(.*)$", re.MULTILINE)
BUILT_ON = re.compile(r"^(?:Bond|Bridge|VLAN|Name)=(.*)$", re.MULTILINE)


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the units of the intent, and no other of ours."""
    units = network_units(intent.network)
    for unit in units:
        yield Wanted(f"{FOLDER}/{unit.name}", text_file(unit.text), unit.summary)
    kept = {f"{FOLDER}/{unit.name}" for unit in units}
    for path in tree.names(FOLDER, f"{PREFIX}*"):
        if path not in kept:
            name = path.removeprefix(f"{FOLDER}/{PREFIX}")
            told = {"network": "as the image has it", "netdev": "removed"}.get(name.rpartition(".")[2], "")
            yield Wanted(path, ABSENT, f"{name.rpartition('.')[0]}: {told}" if told else "")


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Let networkd take notice; links whose making changed go first, and what hangs on them is made anew."""
    gone = [
        name
        for change in changes
        if change.path.endswith(".netdev")
        for name in NAME.findall(change.old.text)
    ]
    files = [
        path
        for path in tree.names(FOLDER, f"{PREFIX}*.network")
        if set(gone) & set(BUILT_ON.findall(tree.text(path)))
    ]
    services.reload_network(gone=gone, files=[f"/{path}" for path in files])


SETTING = Setting("network", wanted, act)
