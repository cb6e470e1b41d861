"""How a recorded machine behaves: tests of the network, lights, leases."""

from typing import TYPE_CHECKING

from nodelib.bus import FACTS
from nodelib.bus_network import (
    BLINK,
    LEASE,
    PROBE,
    BlinkRequest,
    LeaseReply,
    LeaseRequest,
    Probe,
    ProbeReply,
    ProbeRequest,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Nic
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine


def _find(machine: "RecordedMachine", name: str) -> Nic:
    found = next((nic for nic in machine.get(FACTS).nics if nic.name == name), None)
    if found is None:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no {name}", "look at the list again")
    return found


def probe(machine: "RecordedMachine", request: ProbeRequest) -> ProbeReply:
    """Reach everything but hosts below `invalid`."""
    if request.target.endswith("invalid"):
        return ProbeReply(False, f"{request.target} has no address", "look at the DNS servers", 5.25)
    texts = {
        Probe.DNS: f"{request.target} is 198.51.100.10",
        Probe.ENGINE: "the engine answers",
        Probe.HOST: f"{request.target} answers",
    }
    if request.probe in texts:
        return ProbeReply(True, texts[request.probe], milliseconds=1.5)
    return machine.get(PROBE)


def blink(machine: "RecordedMachine", request: BlinkRequest) -> None:
    """Blink where the driver is a real card's."""
    if _find(machine, request.nic).driver.startswith("virtio"):
        raise VirtnodeError(
            Code.FAILED, f"the driver of {request.nic} cannot blink", "look for its MAC address"
        )


def lease(machine: "RecordedMachine", request: LeaseRequest) -> LeaseReply:
    """Give the recorded lease for a port that has an address."""
    if not _find(machine, request.nic).addresses:
        raise VirtnodeError(
            Code.NOT_FOUND, f"{request.nic} has no address from DHCP", "give it addresses by hand"
        )
    return machine.get(LEASE)


ANSWERS: Answers = {PROBE: probe, BLINK: blink, LEASE: lease}
