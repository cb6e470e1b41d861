"""The parts of a host: its interfaces, its disks, and the figures of its last heartbeat."""

import ipaddress
from collections.abc import Sequence

from engine.rest.host_documents import HostView, host_reference, part_id
from engine.rest.shapes import Document, Value
from nodelib.facts import Disk, Nic


def nic_documents(view: HostView) -> list[Document]:
    """Describe a host's interfaces."""
    return [_nic(view, nic) for nic in view.node.facts.nics]


def storage_documents(view: HostView) -> list[Document]:
    """Describe a host's disks."""
    return [_disk(view, disk) for disk in view.node.facts.disks]


def statistic_documents(view: HostView) -> list[Document]:
    """Describe the figures that a host sent last; before its first heartbeat there are few."""
    memory = view.node.facts.memory
    figures: list[tuple[str, str, str, float]] = [
        ("memory.total", "Total memory", "bytes", memory.total_bytes),
        ("swap.total", "Total swap", "bytes", memory.swap_bytes),
        ("boot.time", "Boot time of the machine", "seconds", round(view.node.facts.booted_at)),
    ]
    if (beat := view.node.heartbeat) is not None:
        used = max(memory.total_bytes - beat.memory_available_bytes, 0)
        figures += [
            ("memory.free", "Free memory", "bytes", beat.memory_available_bytes),
            ("memory.used", "Used memory", "bytes", used),
            ("cpu.load.avg.5m", "CPU load average", "none", beat.load),
            ("uptime", "Time since the boot", "seconds", beat.uptime),
        ]
    return [_statistic(view, *figure) for figure in figures]


def _statistic(view: HostView, name: str, description: str, unit: str, datum: float) -> Document:
    identifier = part_id(view.node.id, f"statistic/{name}")
    return {
        "id": identifier,
        "href": f"{view.href}/statistics/{identifier}",
        "name": name,
        "description": description,
        "kind": "gauge",
        "type": "integer" if isinstance(datum, int) else "decimal",
        "unit": unit,
        "values": [{"datum": datum}],
        "host": host_reference(view),
    }


def _nic(view: HostView, nic: Nic) -> Document:
    document: dict[str, Value] = {
        **_identity(view, "nics", nic.name),
        "name": nic.name,
        "mac": {"address": nic.mac},
        "mtu": nic.mtu,
        "status": "up" if nic.link else "down",
        "bridged": nic.kind == "bridge",
        "host": host_reference(view),
    }
    if nic.speed_mbps is not None:
        document["speed"] = nic.speed_mbps * 1_000_000
    if nic.kind == "vlan" and "." in nic.name:
        document["base_interface"] = nic.name.rpartition(".")[0]
    if nic.kind == "bond":
        slaves = [one.name for one in view.node.facts.nics if one.master == nic.name]
        document["bonding"] = {"slaves": [{**_identity(view, "nics", name), "name": name} for name in slaves]}
    return document | _addresses(nic.addresses)


def _addresses(addresses: Sequence[str]) -> dict[str, Value]:
    """Find the first address of each kind: oVirt shows one."""
    found: dict[str, Value] = {}
    for text in addresses:
        try:
            one = ipaddress.ip_interface(text)
        except ValueError:
            continue
        if one.version == 4:
            netmask, name = str(one.netmask), "ip"
        else:
            netmask, name = str(one.network.prefixlen), "ipv6"
        found.setdefault(name, {"address": str(one.ip), "netmask": netmask, "version": f"v{one.version}"})
    return found


def _disk(view: HostView, disk: Disk) -> Document:
    identity = _identity(view, "storage", disk.name)
    return {
        **identity,
        "name": disk.name,
        "description": ", ".join(disk.holds),
        "path": disk.path,
        "type": "localfs",
        "logical_units": [
            {
                "id": identity["id"],
                "product_id": disk.model,
                "serial": disk.serial,
                "size": disk.size_bytes,
                "status": "used" if disk.holds else "free",
                "paths": 1,
            }
        ],
        "host": host_reference(view),
    }


def _identity(view: HostView, collection: str, name: str) -> Document:
    identifier = part_id(view.node.id, f"{collection}/{name}")
    return {"id": identifier, "href": f"{view.href}/{collection}/{identifier}"}
