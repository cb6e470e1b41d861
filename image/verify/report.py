"""What a node says of itself, as it came through the virtio-serial port."""

import json
from collections import defaultdict
from dataclasses import dataclass

PROTOCOL = "1"
"""The form of the report that inquiry.sh writes."""


@dataclass(frozen=True)
class JournalLine:
    """A line of the journal; `source` is its unit, else what the program calls itself."""

    source: str
    priority: int
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


@dataclass(frozen=True)
class GuestRun:
    """A KVM guest's life within the node."""

    console: str
    troubles: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True)
class Report:
    """A node's account of its start; seconds count from the kernel's start, None is what it did not say."""

    complete: bool
    kernel: str
    cmdline: str
    firmware: str
    """`bios` or `uefi`."""
    secure_boot: str
    """`on`, `off`, or `absent` where there is none."""
    state: str
    """What `systemctl is-system-running` answers."""
    failed_units: tuple[str, ...]
    waiting_jobs: tuple[str, ...]
    seconds_to_multi_user: float | None
    seconds_to_prompt: float | None
    seconds_to_libvirt: float | None
    """When libvirt answered; it is asked once the start is over."""
    libvirt_error: str
    memory_mib: int | None
    """What is in use once the node has started."""
    kvm_device: bool
    kvm_domains: bool
    """Whether libvirt offers domains of type kvm."""
    guest: GuestRun | None
    errors: tuple[JournalLine, ...]
    """The journal's lines of priority err and worse."""
    journal: str


def parse_report(text: str) -> Report:
    """Read a report, or as much of one as there is: a node may die while it writes."""
    answers = _read_answers(text)

    def last(name: str) -> str:
        return answers[name][-1] if answers[name] else ""

    return Report(
        complete=last("protocol") == PROTOCOL and bool(answers["end"]),
        kernel=last("kernel"),
        cmdline=last("cmdline"),
        firmware=last("firmware"),
        secure_boot=last("secure-boot"),
        state=last("state"),
        failed_units=tuple(answers["failed-unit"]),
        waiting_jobs=tuple(answers["waiting-job"]),
        seconds_to_multi_user=_seconds(last("multi-user-microseconds"), unit=1e-6),
        seconds_to_prompt=_seconds(last("prompt-microseconds"), unit=1e-6),
        seconds_to_libvirt=_seconds(last("libvirt-seconds")),
        libvirt_error=last("libvirt-error"),
        memory_mib=_memory_used(last("memory-total-kib"), last("memory-available-kib")),
        kvm_device=last("kvm-device") == "yes",
        kvm_domains=last("kvm-domains") == "yes",
        guest=_parse_guest(answers),
        errors=tuple(_parse_journal_line(line) for line in answers["error"]),
        journal="".join(f"{line}\n" for line in answers["journal"]),
    )


def _read_answers(text: str) -> defaultdict[str, list[str]]:
    answers: defaultdict[str, list[str]] = defaultdict(list)
    for line in text.split("\n")[:-1]:  # within the last the node died, or it is empty
        name, _, value = line.partition("=")
        answers[name].append(value)
    return answers


def _seconds(value: str, *, unit: float = 1.0) -> float | None:
    try:
        seconds = float(value) * unit
    except ValueError:
        return None
    return seconds or None  # systemd says 0 for what never was active


def _memory_used(total_kib: str, available_kib: str) -> int | None:
    if not (total_kib.isdecimal() and available_kib.isdecimal()):
        return None
    return (int(total_kib) - int(available_kib)) // 1024


def _parse_guest(answers: defaultdict[str, list[str]]) -> GuestRun | None:
    if not answers["guest-start-seconds"]:
        return None
    start = _seconds(answers["guest-start-seconds"][-1])
    end = _seconds(answers["guest-end-seconds"][-1]) if answers["guest-end-seconds"] else None
    return GuestRun(
        console="".join(f"{line}\n" for line in answers["guest-console"]),
        troubles=tuple(answers["guest-trouble"]),
        seconds=end - start if start is not None and end is not None else None,
    )


def _parse_journal_line(text: str) -> JournalLine:
    try:
        fields = json.loads(text)
    except ValueError:
        return JournalLine(source="unknown", priority=3, message=text)
    message = fields.get("MESSAGE")
    if isinstance(message, list):  # how the journal writes what is not UTF-8
        message = bytes(message).decode(errors="replace")
    unit, identifier = fields.get("_SYSTEMD_UNIT"), fields.get("SYSLOG_IDENTIFIER")
    source = identifier if unit in (None, "init.scope") else unit  # init.scope is systemd itself
    return JournalLine(
        source=str(source or "unknown"),
        priority=int(fields.get("PRIORITY", 3)),
        message=str(message or ""),
    )
