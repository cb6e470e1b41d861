"""A node in oVirt's words."""

import re
import uuid
from dataclasses import dataclass

from engine.node import Node
from engine.rest.endpoint import API_PATH
from engine.rest.places import cluster_reference
from engine.rest.shapes import Document, Value
from nodelib.facts import Cpu, Facts
from nodelib.link import NodeState

STATUSES = {
    NodeState.PENDING: "pending_approval",
    NodeState.INSTALLING: "installing",
    NodeState.UP: "up",
    NodeState.NON_OPERATIONAL: "non_operational",
    NodeState.CONNECTING: "connecting",
    NodeState.UNREACHABLE: "non_responsive",
    NodeState.MAINTENANCE: "maintenance",
    NodeState.REBOOTING: "reboot",
    NodeState.FAILED: "install_failed",
    NodeState.REJECTED: "down",
}
"""oVirt's status for each state."""
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_NAMESPACE = uuid.UUID("6d2f7b5e-1b6e-4f0a-9f52-0c6f5d1f8a11")


@dataclass(frozen=True)
class HostView:
    """A node, its address in the API, and where it belongs."""

    node: Node
    cluster: Document
    update_available: bool = False

    @property
    def href(self) -> str:
        """The address of the host."""
        return f"{API_PATH}/hosts/{self.node.id}"


def part_id(node_id: str, name: str) -> str:
    """Name a part of a node for good: the same part has the same identifier in each answer."""
    return str(uuid.uuid5(_NAMESPACE, f"{node_id}/{name}"))


def host_reference(view: HostView) -> Document:
    """Point to a host."""
    return {"id": view.node.id, "href": view.href}


def host_document(view: HostView, *, all_content: bool = False) -> dict[str, Value]:
    """Describe a host."""
    node, facts = view.node, view.node.facts
    document: dict[str, Value] = {
        **host_reference(view),
        "name": node.name,
        "comment": node.comment,
        "address": node.address,
        "status": STATUSES[node.state],
        "status_detail": node.reason,
        "external_status": _external_status(view),
        "type": "ovirt_node",
        "cpu": _cpu(facts),
        "memory": facts.memory.total_bytes,
        "max_scheduling_memory": _free_memory(view),
        "hardware_information": {
            "manufacturer": facts.hardware.manufacturer,
            "product_name": facts.hardware.product,
            "serial_number": facts.hardware.serial,
            "uuid": facts.hardware.uuid,
        },
        "os": {
            "type": "virtnode",
            "version": version_document(facts.kernel),
            "custom_kernel_cmdline": "",
        },
        "libvirt_version": version_document(facts.virtualisation.libvirt),
        "version": version_document(facts.product),
        "device_passthrough": {"enabled": facts.virtualisation.iommu},
        "numa_supported": len(facts.numa) > 1,
        "power_management": {"enabled": False, "kdump_detection": False},
        "spm": {"status": "none", "priority": 1},
        "update_available": view.update_available,
        "summary": _summary(view),
        "cluster": cluster_reference(view.cluster),
    }
    if all_content and node.certificate_expires is not None:
        document["certificate"] = {"organization": "virtnode", "subject": f"CN={node.id}"}
    return document


def virtnode_document(view: HostView) -> Document:
    """Describe what oVirt has no word for."""
    node = view.node
    document: dict[str, Value] = {
        "id": node.id,
        "href": f"{view.href}/virtnode",
        "state": node.state.value,
        "reason": node.reason,
        "action": node.action,
        "since": node.since,
        "approval_code": node.code,
        "fingerprint": node.fingerprint,
        "last_error": node.last_error,
        "connected": view.node.connected,
        "build_id": view.node.facts.build_id,
        "ladder": [
            {
                "step": rung.step.value,
                "state": rung.state.value,
                "text": rung.text,
                "hint": rung.hint,
                "since": rung.since,
            }
            for rung in view.node.ladder
        ],
        "problems": list(view.node.heartbeat.problems) if view.node.heartbeat else [],
        "host": host_reference(view),
    }
    for name, value in (
        ("approved_by", node.approved_by),
        ("certificate_expires", node.certificate_expires),
        ("last_seen", node.last_seen),
    ):
        if value is not None:
            document[name] = value
    return document


def version_document(text: str) -> Document:
    """Take a version apart: the first numbers in it, and all of it."""
    numbers = re.search(r"\d{1,9}(?:\.\d{1,9}){0,3}", text)
    found: dict[str, Value] = {"full_version": text}
    if numbers:
        parts = numbers.group().split(".")
        found |= {name: int(part) for name, part in zip(_PARTS, parts, strict=False)}
    return found


_PARTS = ("major", "minor", "build", "revision")


def _external_status(view: HostView) -> str:
    if view.node.heartbeat is None:
        return "ok"
    if not view.node.heartbeat.healthy:
        return "error"
    return "warning" if view.node.heartbeat.problems else "ok"


def _cpu(facts: Facts) -> Document:
    return {
        "name": facts.cpu.model,
        "architecture": _ARCHITECTURES.get(facts.cpu.architecture, "undefined"),
        "type": facts.virtualisation.guest_cpu,
        "topology": _topology(facts.cpu),
    }


def _topology(cpu: Cpu) -> Document:
    """Count as oVirt does: cores of a socket, threads of a core."""
    sockets = max(cpu.sockets, 1)
    cores = max(cpu.cores // sockets, 1)
    return {"sockets": sockets, "cores": cores, "threads": max(cpu.threads // (sockets * cores), 1)}


def _free_memory(view: HostView) -> int:
    return (
        view.node.heartbeat.memory_available_bytes
        if view.node.heartbeat
        else view.node.facts.memory.available_bytes
    )


def _summary(view: HostView) -> Document:
    guests = view.node.heartbeat.guests if view.node.heartbeat else 0
    return {"active": guests, "total": guests}
