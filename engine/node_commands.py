"""What the command line shows of one node: enough to decide whether it is the machine that it should be."""

import argparse
import sys
from collections.abc import Iterator

from engine.administration import NODES_SHOW, NodeDetail, OnNode
from engine.command_line import actor_name, ask, print_json, time_text
from engine.printable import printable
from nodelib.facts import Disk, Nic

LONGEST = 400


def run_nodes_show(arguments: argparse.Namespace) -> None:
    """Show one node."""
    detail = ask(arguments, NODES_SHOW, OnNode(actor_name(), arguments.node))
    if arguments.json:
        print_json(detail)
        return
    for name, value in detail_lines(detail):
        # What a node says of itself may hold what a terminal obeys.
        sys.stdout.write(f"{name:<12} {printable(value, LONGEST)}\n")


def detail_lines(detail: NodeDetail) -> Iterator[tuple[str, str]]:
    """Lay a node out for a person: a name and a value a line; what is not known is left out."""
    node, facts = detail.node, detail.facts
    hardware, cpu = facts.hardware, facts.cpu
    lines = (
        ("name", node.name),
        ("identifier", node.id),
        ("state", f"{node.state} since {time_text(node.since)}"),
        ("reason", node.reason),
        ("do", node.action),
        ("last error", detail.last_error),
        ("code", node.code),
        ("fingerprint", node.fingerprint),
        ("claims", detail.claims),
        ("host name", facts.hostname),
        ("address", node.address),
        ("connected", "yes" if node.connected else "no"),
        ("last seen", _time_text(node.last_seen)),
        ("first seen", time_text(detail.created_at)),
        (
            "approved",
            f"{_time_text(detail.approved_at)} by {detail.approved_by}" if detail.approved_by else "",
        ),
        ("certificate", f"until {_time_text(node.certificate_expires)}" if node.certificate_expires else ""),
        ("image", " ".join((facts.product, facts.build_id))),
        ("machine", " ".join((hardware.manufacturer, hardware.product))),
        ("serial", hardware.serial),
        ("UUID", hardware.uuid),
        (
            "CPU",
            f"{cpu.model}, {cpu.sockets} sockets, {cpu.cores} cores, {cpu.threads} threads"
            if cpu.threads
            else "",
        ),
        ("memory", _size_text(facts.memory.total_bytes)),
        *(("disk", _disk_text(disk)) for disk in facts.disks),
        *(("NIC", _nic_text(nic)) for nic in facts.nics),
    )
    return ((name, value) for name, value in lines if value.strip())


def _disk_text(disk: Disk) -> str:
    words = (disk.name, _size_text(disk.size_bytes), disk.model, disk.serial, ", ".join(disk.holds))
    return "  ".join(word for word in words if word)


def _nic_text(nic: Nic) -> str:
    speed = f"{nic.speed_mbps} Mb/s" if nic.speed_mbps else ""
    words = (nic.name, nic.kind, nic.mac, "link" if nic.link else "no link", speed, *nic.addresses)
    return "  ".join(word for word in words if word)


def _size_text(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB" if size else ""


def _time_text(seconds: float | None) -> str:
    return "never" if seconds is None else time_text(seconds)
