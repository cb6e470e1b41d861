"""Network interfaces, from /sys, udev, iproute2 and networkd."""

from dataclasses import replace
from pathlib import Path

from nodeagent.facts.routes import read_gateways
from nodeagent.facts.sources import (
    Command,
    names_in,
    number_of,
    read_link_name,
    read_list,
    read_number,
    read_table,
    read_text,
    tables,
    text_of,
)
from nodelib.facts import LldpNeighbour, Nic

INTERFACES = "sys/class/net"
ADDRESS_COMMAND = ("ip", "-json", "address", "show")
LLDP_COMMAND = ("networkctl", "--json=short", "lldp")


def collect_nics(root: Path, command: Command) -> tuple[Nic, ...]:
    """Describe every interface but the loopback."""
    addresses = read_addresses(command(ADDRESS_COMMAND))
    neighbours = read_lldp(command(LLDP_COMMAND))
    gateways = read_gateways(root)
    return tuple(
        replace(
            _collect_nic(root, name, addresses.get(name, ()), neighbours.get(name)),
            gateways=gateways.get(name, ()),
        )
        for name in names_in(root / INTERFACES)
        if name != "lo" and (root / INTERFACES / name).is_dir()
    )


def read_addresses(text: str) -> dict[str, tuple[str, ...]]:
    """Read `ip -json address`: addresses with prefix length by interface, without link-local ones."""
    return {
        text_of(link, "ifname"): tuple(
            f"{text_of(address, 'local')}/{number_of(address, 'prefixlen')}"
            for address in tables(link.get("addr_info"))
            if text_of(address, "scope") == "global"
        )
        for link in read_list(text)
    }


def read_lldp(text: str) -> dict[str, LldpNeighbour]:
    """Read `networkctl --json=short lldp`: the first neighbour that each interface heard."""
    heard = {}
    for link in tables(read_table(text).get("Neighbors")):
        # Newer systems group neighbours by interface.
        for neighbour in tables(link.get("Neighbors")) or [link]:
            chassis, port = text_of(neighbour, "ChassisID"), text_of(neighbour, "PortID")
            name = text_of(link, "InterfaceName")
            if name and name not in heard and (chassis or port):
                heard[name] = LldpNeighbour(chassis, port, text_of(neighbour, "SystemName"))
    return heard


def _collect_nic(root: Path, name: str, addresses: tuple[str, ...], lldp: LldpNeighbour | None) -> Nic:
    folder = root / INTERFACES / name
    speed = read_number(folder / "speed")
    return Nic(
        name=name,
        kind=_kind(folder),
        mac=read_text(folder / "address"),
        path=_udev_path(root, read_number(folder / "ifindex")),
        driver=read_link_name(folder / "device/driver"),
        # The kernel says -1 where it does not know.
        speed_mbps=speed if speed is not None and speed > 0 else None,
        mtu=read_number(folder / "mtu") or 0,
        link=read_text(folder / "carrier") == "1",
        addresses=addresses,
        master=read_link_name(folder / "master"),
        lldp=lldp,
    )


def _kind(folder: Path) -> str:
    if (folder / "bonding").is_dir():
        return "bond"
    if (folder / "bridge").is_dir():
        return "bridge"
    if "DEVTYPE=vlan" in read_text(folder / "uevent").splitlines():
        return "vlan"
    return "physical" if (folder / "device").exists() else "other"


def _udev_path(root: Path, index: int | None) -> str:
    lines = read_text(root / f"run/udev/data/n{index}").splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("E:ID_PATH=")), "")
