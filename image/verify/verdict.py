"""Whether a node is sound, judged from what it said and how its machine ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from image.firmware import Firmware
from image.verify.allowed import AllowedLine, unexpected_lines
from image.verify.matrix import Case
from image.verify.report import Report


class Ending(StrEnum):
    """Why the host stopped listening to a node."""

    REPORTED = "the node made its report"
    DEADLINE = "no report came within the deadline"
    ENDED = "the machine ended before its report"
    PANIC = "the node's kernel panicked"
    BREAKPOINT = "the node's kernel met a breakpoint of its own"
    INTERRUPTED = "the verification was interrupted"
    EMERGENCY = "the node's start gave up in emergency mode"


@dataclass(frozen=True)
class Verdict:
    """What became of one medium; `seconds` is how long it took on the host, all attempts together."""

    medium: str
    reasons: tuple[str, ...]
    """Why it failed; empty when it passed."""
    ending: Ending
    report: Report
    seconds: float = 0.0
    attempts: int = 1
    evidence: Path | None = None
    """The directory with console, journal and screenshot of a failure."""

    @property
    def passed(self) -> bool:
        """Tell whether the medium is sound."""
        return not self.reasons


def judge(
    case: Case, ending: Ending, report: Report, *, allowed: Iterable[AllowedLine], word: str = ""
) -> tuple[str, ...]:
    """Return every reason why a medium fails; `word` is what a guest within the node must have said."""
    if ending is not Ending.REPORTED:
        return (ending.value,)
    if not report.complete:
        return ("the report is not whole",)
    return (
        *_judge_start(report),
        *_judge_firmware(case, report),
        *_judge_virtualisation(report),
        *(_judge_guest(report, word) if case.guest else ()),
        *(f"journal: {line}" for line in unexpected_lines(report.errors, allowed)),
    )


def lost_machine(case: Case, verdict: Verdict, *, emulated: bool) -> bool:
    """Tell whether emulation lost the machine, or a guest never spoke: what may be tried again.

    A kernel puts breakpoints where it rewrites its code, and no processor meets one that is gone; an emulated
    processor may, while another rewrites. A node says how much memory it has just before libvirt is asked,
    which looks at KVM: a panic from then on, in a node that had come up, is of the emulated virtualisation.
    Any earlier one is the node's own.
    """
    if verdict.ending is Ending.BREAKPOINT and emulated and case.cpus > 1:
        return True
    if verdict.ending is Ending.PANIC and verdict.report.memory_mib is not None:
        return True
    guest = verdict.report.guest
    if not case.guest or guest is None:
        return False
    return verdict.ending is not Ending.REPORTED or not guest.console


def _judge_start(report: Report) -> Iterator[str]:
    yield from (f"failed unit: {unit}" for unit in report.failed_units)
    if report.state not in ("running", "degraded"):
        yield f"the node's state is {report.state or 'unknown'}"
        yield from (f"waiting job: {job}" for job in report.waiting_jobs)
    if report.seconds_to_prompt is None:
        yield "no login prompt"


def _judge_firmware(case: Case, report: Report) -> Iterator[str]:
    expected = "bios" if case.firmware is Firmware.BIOS else "uefi"
    if report.firmware != expected:
        yield f"the firmware is {report.firmware or 'unknown'}, not {expected}"
    if case.firmware is Firmware.SECURE_BOOT and report.secure_boot != "on":
        yield f"Secure Boot is {report.secure_boot or 'unknown'}"


def _judge_virtualisation(report: Report) -> Iterator[str]:
    if not report.kvm_device:
        yield "no /dev/kvm"
    if report.seconds_to_libvirt is None:
        yield f"libvirt does not answer: {report.libvirt_error}"
    elif not report.kvm_domains:
        yield "libvirt offers no domain of type kvm"


def _judge_guest(report: Report, word: str) -> Iterator[str]:
    if report.guest is None:
        yield "no guest was run"
        return
    yield from (f"guest: {trouble}" for trouble in report.guest.troubles)
    if word not in report.guest.console.splitlines():
        yield "the guest did not say its word"
