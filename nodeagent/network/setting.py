"""The network as a setting: units of systemd-networkd, and which links must be made anew for them."""

import re
from collections.abc import Iterator, Mapping, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.network.units import PREFIX, network_units
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

FOLDER = "etc/systemd/network"
INTERFACES = "sys/class/net"
MEMBER_MAC = "bonding_slave/perm_hwaddr"
"""Below an interface: the address that it has by itself while it is a member of a bond."""
MAC = re.compile(r"(?<![0-9a-f:])(?:[0-9a-f]{2}:){5}[0-9a-f]{2}(?![0-9a-f]|:[0-9a-f])", re.IGNORECASE)
NAME = re.compile(r"^Name=(.*)$", re.MULTILINE)
MATCHES = re.compile(r"^(?:PermanentMACAddress|Path|Name)=(.*)$", re.MULTILINE)
"""What a unit is about."""
BUILT_ON = re.compile(r"^(?:Bond|Bridge|VLAN|Name)=(.*)$", re.MULTILINE)


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the units of the intent, and no other of ours."""
    units = network_units(intent.network)
    ports = names_by_mac(tree)
    for unit in units:
        yield Wanted(f"{FOLDER}/{unit.name}", text_file(unit.text), with_names(unit.summary, ports))
    kept = {f"{FOLDER}/{unit.name}" for unit in units}
    for path in tree.names(FOLDER, f"{PREFIX}*"):
        if path not in kept:
            name = path.removeprefix(f"{FOLDER}/{PREFIX}")
            told = {"network": "as the image has it", "netdev": "removed"}.get(name.rpartition(".")[2], "")
            about = MATCHES.search(tree.text(path))
            called = with_names(about[1], ports) if about else name.rpartition(".")[0]
            yield Wanted(path, ABSENT, f"{called}: {told}" if told else "")


def names_by_mac(tree: TreeFiles) -> Mapping[str, str]:
    """Name the ports that are there by their own MAC addresses: a bond gives its members another."""
    names = {}
    for folder in tree.names(INTERFACES, "*"):
        if tree.exists(f"{folder}/device"):
            mac = tree.text(f"{folder}/{MEMBER_MAC}") or tree.text(f"{folder}/address")
            names[mac.strip().lower()] = folder.rpartition("/")[2]
    return names


def with_names(summary: str, names: Mapping[str, str]) -> str:
    """Write the name of a port that is there before its MAC address, which says little to a person."""

    def call(found: re.Match[str]) -> str:
        name = names.get(found[0].lower())
        return f"{name} ({found[0]})" if name else found[0]

    return MAC.sub(call, summary)


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
