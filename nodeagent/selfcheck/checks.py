"""Each check of the self-check: what was found in one sentence, and what to do about it."""

from nodeagent.ladder_checks import NOTABLE_SKEW
from nodeagent.notices import LIBVIRT_UNIT
from nodeagent.selfcheck.evidence import Evidence
from nodelib.bus_support import Check, Verdict
from nodelib.ladder import Rung, Step, StepState
from nodelib.places import Place, at

GIB, MIB = 1 << 30, 1 << 20
LEAST_MEMORY = GIB - 128 * MIB
"""Bytes: of 1 GiB the kernel and the firmware keep some for themselves."""
LEAST_ROOM, NO_ROOM = 64 * MIB, 4 * MIB
LARGEST_OFFSET = 1.0
DAY = 86400.0
LAST_DAYS = 7


def ok(name: str, text: str) -> Check:
    """Say that all is well."""
    return Check(name, Verdict.OK, text)


def warning(name: str, text: str, hint: str) -> Check:
    """Say that something lacks that the node can do without."""
    return Check(name, Verdict.WARNING, text, hint)


def failed(name: str, text: str, hint: str) -> Check:
    """Say that something must be mended."""
    return Check(name, Verdict.FAILED, text, hint)


def skipped(name: str, text: str, hint: str = "") -> Check:
    """Say why there is nothing to check."""
    return Check(name, Verdict.SKIPPED, text, hint)


def check_processor(evidence: Evidence) -> Check:
    """Check that the processor can run guests."""
    flags = set(evidence.known.facts.cpu.flags)
    if flags & {"vmx", "svm"}:
        return ok("processor", f"{evidence.known.facts.cpu.model or 'The processor'} can run guests.")
    return failed(
        "processor",
        "The processor offers no virtualisation.",
        "enable VT-x or AMD-V (SVM) in the firmware setup",
    )


def check_memory(evidence: Evidence) -> Check:
    """Check that there is memory for the node itself and a guest."""
    total = evidence.known.facts.memory.total_bytes
    text = f"There are {total / GIB:.1f} GiB of memory."
    if total < LEAST_MEMORY:
        return failed("memory", text, "a node needs 1 GiB, and guests need theirs beside it")
    return ok("memory", text)


def check_clock_chip(evidence: Evidence) -> Check:
    """Check that the time outlives a loss of power."""
    known = evidence.known
    if known.built_at > known.now:
        hint = "replace the clock's battery, or set the time in the firmware setup"
        return failed("clock chip", "The clock stands before this image was made.", hint)
    if not evidence.clock_chip:
        return warning(
            "clock chip", "This machine has no clock of its own.", "time servers must be reachable at boot"
        )
    return ok("clock chip", "The machine keeps the time while it is off.")


def check_kvm(evidence: Evidence) -> Check:
    """Check that the kernel can run guests."""
    if evidence.known.facts.virtualisation.kvm:
        return ok("kvm", "/dev/kvm is there.")
    return failed("kvm", "/dev/kvm is missing.", "enable virtualisation in the firmware setup")


def check_libvirt(evidence: Evidence) -> Check:
    """Check that libvirt answers, and offers KVM."""
    found = evidence.known.facts.virtualisation
    if not found.libvirt:
        if not evidence.known.libvirt_known:
            return skipped("libvirt", "libvirt was not asked yet.", "try again in a minute")
        return failed("libvirt", "libvirt does not answer.", at(Place.UNIT, LIBVIRT_UNIT))
    if found.kvm and "kvm" not in found.domain_types:
        return failed("libvirt", "libvirt offers no KVM guests.", at(Place.UNIT, LIBVIRT_UNIT))
    return ok("libvirt", f"libvirt {found.libvirt} answers, with QEMU {found.qemu or 'unknown'}.")


def check_nested(evidence: Evidence) -> Check:
    """Tell whether guests may run guests."""
    if evidence.known.facts.cpu.nested:
        return ok("nested", "Guests may run guests of their own.")
    return warning("nested", "Guests cannot run guests of their own.", "few need it; it is a kernel option")


def check_iommu(evidence: Evidence) -> Check:
    """Tell whether devices can be given to guests."""
    if evidence.known.facts.virtualisation.iommu:
        return ok("iommu", "Devices can be handed to guests.")
    return warning(
        "iommu", "Devices cannot be handed to guests.", "enable VT-d or AMD-Vi in the firmware setup"
    )


def check_state_disk(evidence: Evidence) -> Check:
    """Check that what the node is told outlives a restart."""
    if evidence.state.problem:
        sentence = f"{evidence.state.problem[:1].upper()}{evidence.state.problem[1:]}."
        return failed(
            "state disk", sentence, "replace the disk, or make a new file system: see docs/agent.md"
        )
    if evidence.state.kind == "disk":
        return ok("state disk", "What this node is told is kept on a disk.")
    why = "as node.stateless asks" if evidence.stateless else "for no disk has a virtnode-state file system"
    hint = "fine for a node that is configured over the network; else install to a disk"
    return warning("state disk", f"What this node is told is lost when it stops, {why}.", hint)


def check_room(evidence: Evidence) -> Check:
    """Check that the state disk is not full."""
    if evidence.room is None:
        return skipped("room", "There is no state disk.")
    free, total = evidence.room.free_bytes, evidence.room.total_bytes
    text = f"{free / MIB:.0f} of {total / MIB:.0f} MiB are free on the state disk."
    hint = "look for what is large below /var/lib/virtnode"
    if free < NO_ROOM:
        return failed("room", text, hint)
    if free < min(LEAST_ROOM, total / 10):
        return warning("room", text, hint)
    return ok("room", text)


def check_read_only(evidence: Evidence) -> Check:
    """Check that no disk fell back to being read only."""
    if evidence.read_only:
        return failed(
            "read-only",
            f"Read-only, which it should not be: {', '.join(evidence.read_only)}.",
            f"the disk may be dying: {at(Place.JOURNAL)}",
        )
    return ok("read-only", "Every file system that should be writable is.")


def check_tracking(evidence: Evidence) -> Check:
    """Check that time servers keep this clock right."""
    tracking = evidence.tracking
    if tracking is None:
        return failed("time servers", "The time service does not answer.", at(Place.UNIT, "chrony.service"))
    if not tracking.synchronised:
        return warning(
            "time servers", "No time server keeps this clock.", "are the NTP servers reachable? UDP port 123"
        )
    text = f"{tracking.source or 'A time server'} keeps this clock, {abs(tracking.offset):.3f} s apart."
    if abs(tracking.offset) > LARGEST_OFFSET:
        return warning("time servers", text, "it is being corrected; look again in a few minutes")
    return ok("time servers", text)


def check_skew(evidence: Evidence) -> Check:
    """Check that this clock and the engine's agree."""
    skew = evidence.known.skew
    if skew is None:
        return skipped("engine's clock", "No engine was asked for the time yet.")
    text = f"This clock and the engine's are {abs(skew):.0f} s apart."
    if abs(skew) >= NOTABLE_SKEW:
        return warning(
            "engine's clock", text, "one of them is wrong; certificates are judged by the engine's"
        )
    return ok("engine's clock", text)


def check_units(evidence: Evidence) -> Check:
    """Check that no service failed."""
    if evidence.failed_units is None:
        return warning("units", "systemd does not answer.", "try again in a moment")
    if evidence.failed_units:
        names = ", ".join(evidence.failed_units)
        first = evidence.failed_units[0]
        return failed("units", f"Failed: {names}.", at(Place.UNIT, first))
    return ok("units", "No service has failed.")


def check_certificate(evidence: Evidence) -> Check:
    """Check that this node's certificate is good for a while."""
    end = evidence.known.certificate_ends
    if end is None:
        return skipped("certificate", "There is no certificate; the engine issues one when it approves.")
    days = (end - evidence.known.now) / DAY
    if days < 0:
        return failed(
            "certificate",
            "The certificate has expired.",
            "the node registers again by itself; look at the other steps",
        )
    text = f"The certificate is good for {days:.0f} days."
    if days < LAST_DAYS:
        return warning("certificate", text, f"it renews by itself; why did it not? {at(Place.JOURNAL)}")
    return ok("certificate", text)


def check_rung(evidence: Evidence, step: Step) -> Check:
    """Tell of a step of the join ladder."""
    rung = next((one for one in evidence.known.ladder if one.step is step), None)
    if rung is None:
        return skipped(step.value, "Not looked at yet.", "try again in a moment")
    return Check(step.value, _verdict(rung, evidence.known.state), rung.text, rung.hint)


def _verdict(rung: Rung, state: str) -> Verdict:
    if rung.state is StepState.WAITING:
        # A person must act; all other waiting is for the steps before, or for an engine to be named.
        waits_for_person = rung.step is Step.APPROVAL and state == "pending"
        return Verdict.WARNING if waits_for_person else Verdict.SKIPPED
    return Verdict.OK if rung.state is StepState.OK else Verdict.FAILED
