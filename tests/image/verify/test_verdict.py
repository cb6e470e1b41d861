"""A medium passes only when nothing is wrong with its node."""

import dataclasses

import pytest

from image.firmware import Firmware
from image.medium import Kind
from image.verify.allowed import load_allowed_lines
from image.verify.matrix import Case
from image.verify.report import parse_report
from image.verify.verdict import Ending, Verdict, judge, lost_machine
from tests.image.verify.fake_qemu import error_line, make_report

CASE = Case("iso-cd-bios", Kind.ISO)
GUEST_CASE = Case("guest", Kind.ISO, guest=True)
MEMORY = "protocol=1\nmemory-total-kib=2000000\nmemory-available-kib=1700000\n"
GUEST_RUN = "guest-start-seconds=30.0\nguest-end-seconds=42.5\n"


def reasons(text: str, *, case: Case = CASE, ending: Ending = Ending.REPORTED, word: str = "") -> list[str]:
    """Judge a report with the list of allowed lines that comes with the program."""
    return list(judge(case, ending, parse_report(text), allowed=load_allowed_lines(), word=word))


def test_sound_node_passes() -> None:
    """Nothing is wrong, so there is no reason."""
    assert reasons(make_report()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (make_report(state="degraded", more="failed-unit=a.service\n"), ["failed unit: a.service"]),
        (
            make_report(state="starting", more="waiting-job=1 slow.service start running\n"),
            ["the node's state is starting", "waiting job: 1 slow.service start running"],
        ),
        (make_report(prompt_microseconds=""), ["no login prompt"]),
        (make_report(kvm_device="no"), ["no /dev/kvm"]),
        (make_report(kvm_domains="no"), ["libvirt offers no domain of type kvm"]),
        (
            make_report(libvirt_seconds="", more="libvirt-error=error: refused\n"),
            ["libvirt does not answer: error: refused"],
        ),
        (make_report(firmware="uefi"), ["the firmware is uefi, not bios"]),
        (
            make_report(more=error_line("BUG: soft lockup")),
            ["journal: kernel: BUG: soft lockup"],
        ),
        (make_report().removesuffix("end=\n"), ["the report is not whole"]),
    ],
)
def test_each_fault_is_a_reason(text: str, expected: list[str]) -> None:
    """One fault gives one reason, in words a person can follow."""
    assert reasons(text) == expected


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.REPORTED])
def test_node_without_a_report_fails(ending: Ending) -> None:
    """Why the report is missing is the reason."""
    assert reasons("", ending=ending) == [ending.value]


def test_allowed_line_is_no_reason() -> None:
    """What belongs to the emulated machine does not count."""
    message = "Failed to query local AF_VSOCK CID: Cannot assign requested address"
    assert reasons(make_report(more=error_line(message, source="systemd-ssh-generator"))) == []
    assert reasons(make_report(more=error_line(message))) == [f"journal: kernel: {message}"]


@pytest.mark.parametrize(("state", "expected"), [("on", []), ("off", ["Secure Boot is off"])])
def test_secure_boot_must_be_on(state: str, expected: list[str]) -> None:
    """A node that merely starts has not proven that it was checked."""
    case = dataclasses.replace(CASE, firmware=Firmware.SECURE_BOOT)
    assert reasons(make_report(firmware="uefi", secure_boot=state), case=case) == expected


def test_guest_must_say_its_word() -> None:
    """Only the word of this very run proves that the guest ran."""
    text = make_report(more=GUEST_RUN + "guest-console=virtnode-guest-1\n")
    assert reasons(text, case=GUEST_CASE, word="virtnode-guest-1") == []
    assert reasons(text, case=GUEST_CASE, word="virtnode-guest-2") == ["the guest did not say its word"]


def test_guest_s_trouble_is_a_reason() -> None:
    """What libvirt says against the guest is told."""
    text = make_report(more=GUEST_RUN + "guest-trouble=error: denied\n")
    expected = ["guest: error: denied", "the guest did not say its word"]
    assert reasons(text, case=GUEST_CASE, word="x") == expected
    assert reasons(make_report(), case=GUEST_CASE, word="x") == ["no guest was run"]


@pytest.mark.parametrize(
    ("case", "text", "ending", "lost"),
    [
        (GUEST_CASE, "protocol=1\nguest-start-seconds=30.0\n", Ending.PANIC, True),
        (GUEST_CASE, make_report(more=GUEST_RUN), Ending.REPORTED, True),
        (GUEST_CASE, make_report(more=GUEST_RUN + "guest-console=x\n"), Ending.REPORTED, False),
        (GUEST_CASE, "protocol=1\n", Ending.PANIC, False),
        (CASE, "protocol=1\n", Ending.PANIC, False),
        (CASE, MEMORY, Ending.PANIC, True),
        (CASE, MEMORY, Ending.DEADLINE, False),
        (CASE, make_report(), Ending.REPORTED, False),
        (Case("two", Kind.ISO, cpus=2), "", Ending.BREAKPOINT, True),
        (CASE, "", Ending.BREAKPOINT, False),
    ],
    ids=[
        "node died with the guest",
        "guest was silent",
        "guest spoke",
        "died before the guest",
        "died before it was up",
        "died when libvirt looked at KVM",
        "hung when libvirt looked at KVM",
        "told its faults",
        "met another processor's breakpoint",
        "met a breakpoint alone",
    ],
)
def test_only_what_emulation_breaks_may_be_tried_again(
    case: Case, text: str, ending: Ending, lost: bool
) -> None:
    """A fault of the node itself is never retried."""
    verdict = Verdict(case.name, ("x",), ending=ending, report=parse_report(text))
    assert lost_machine(case, verdict, emulated=True) is lost


def test_hardware_s_own_breakpoint_is_final() -> None:
    """No real processor meets a breakpoint that is gone: there it is a fault of the kernel."""
    case = Case("two", Kind.ISO, cpus=2)
    verdict = Verdict(case.name, ("x",), ending=Ending.BREAKPOINT, report=parse_report(""))
    assert not lost_machine(case, verdict, emulated=False)
