"""Media are chosen by the matrix, judged once each, and leave evidence when they fail."""

import dataclasses
import os
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.medium import Kind
from image.verify.matrix import CASES, Case
from image.verify.runner import Setup, choose_cases, verify_case
from image.verify.verdict import Ending
from nodelib.errors import InvalidInput
from tests.image.verify.fake_qemu import make_fake_qemu, make_report

CASE = Case("iso-cd-bios", Kind.ISO)


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    """Give a file that is named as an ISO."""
    path = tmp_path / "node.iso"
    path.touch()
    return path


@pytest.fixture
def guest_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a busybox and an xorriso first on PATH that leave empty files where they are told to write."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "busybox").touch()
    (tools / "xorriso").write_text(
        '#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in -o|/boot/vmlinuz) : >"$2";; esac; shift; done\n'
    )
    for tool in tools.iterdir():
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)


def setup(folder: Path, accelerator: Accelerator, *, deadline: float = 60.0) -> Setup:
    """Run cases in a fake machine, with evidence below a folder."""
    return Setup(accelerator=accelerator, evidence=folder / "evidence", deadline=deadline)


def test_sound_node_leaves_nothing_behind(tmp_path: Path, iso: Path) -> None:
    """Evidence is kept for failures only."""
    fake = make_fake_qemu(tmp_path, report=make_report())
    verdict = verify_case(CASE, iso, setup(tmp_path, fake))
    assert verdict.passed
    assert verdict.attempts == 1
    assert verdict.seconds > 0
    assert list((tmp_path / "evidence").iterdir()) == []


def test_failed_unit_leaves_console_journal_and_screenshot(tmp_path: Path, iso: Path) -> None:
    """All that is needed to understand a failure is in one folder."""
    fake = make_fake_qemu(
        tmp_path, console="Welcome\r\n", report=make_report(state="degraded", more="failed-unit=a.service\n")
    )
    verdict = verify_case(CASE, iso, setup(tmp_path, fake))
    assert verdict.reasons == ("failed unit: a.service",)
    assert verdict.evidence == tmp_path / "evidence/iso-cd-bios"
    assert {file.name for file in verdict.evidence.iterdir()} == {
        *("command", "console.log", "journal.log", "qemu.log", "report", "screen.png")
    }
    assert "Welcome" in (verdict.evidence / "journal.log").read_text()
    assert "journal=" not in (verdict.evidence / "report").read_text()


def test_silent_node_fails_with_its_console_kept(tmp_path: Path, iso: Path) -> None:
    """No report within the deadline is a failure, and the console says how far the node came."""
    fake = make_fake_qemu(tmp_path, console="Starting\r\n")
    verdict = verify_case(CASE, iso, setup(tmp_path, fake, deadline=1.0))
    assert verdict.ending is Ending.DEADLINE
    assert verdict.evidence is not None
    assert (verdict.evidence / "console.log").read_text() == "Starting\n"


@pytest.mark.usefixtures("guest_tools")
def test_lost_machine_is_tried_again_and_told(
    tmp_path: Path, iso: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Three attempts, each with a warning and a folder of its own, and then the verdict stands."""
    fake = make_fake_qemu(
        tmp_path, report="protocol=1\nguest-start-seconds=30.0\n", console="Kernel panic - not syncing\n"
    )
    monkeypatch.setattr("image.verify.node.LAST_WORDS_SECONDS", 0.5)
    case = dataclasses.replace(CASE, guest=True, attempts=3)
    verdict = verify_case(case, iso, setup(tmp_path, fake))
    assert verdict.ending is Ending.PANIC
    assert verdict.attempts == 3
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "attempt 1 of 3 lost its machine" in caplog.text
    assert len(list((tmp_path / "evidence").iterdir())) == 3


def test_interruption_ends_a_running_machine(tmp_path: Path, iso: Path) -> None:
    """After Ctrl-C nothing runs on, and there is one attempt."""
    interrupted = setup(tmp_path, make_fake_qemu(tmp_path))
    interrupted.interrupted.set()
    verdict = verify_case(dataclasses.replace(CASE, attempts=3), iso, interrupted)
    assert verdict.ending is Ending.INTERRUPTED
    assert verdict.attempts == 1
    assert list((tmp_path / "evidence").iterdir()) == []


def test_all_rows_that_the_artefacts_allow_are_chosen() -> None:
    """An ISO alone gives its own rows."""
    names = {case.name for case in choose_cases({Kind.ISO: Path("node.iso")})}
    assert names == {case.name for case in CASES if case.artefact is Kind.ISO}


def test_named_rows_are_chosen_in_the_matrix_s_order() -> None:
    """The order of the names does not matter."""
    cases = choose_cases({Kind.ISO: Path("node.iso")}, ("guest", "iso-cd-bios"))
    assert [case.name for case in cases] == ["iso-cd-bios", "guest"]


def test_unknown_and_impossible_names_are_told_together() -> None:
    """All problems at once, with the names that are known as the hint."""
    with pytest.raises(InvalidInput) as caught:
        choose_cases({Kind.ISO: Path("node.iso")}, ("floppy", "pxe-bios"))
    assert caught.value.problems == ("there is no medium floppy", "pxe-bios needs a pxe folder")
    assert "iso-cd-bios" in caught.value.hint


def test_attempts_are_few() -> None:
    """Emulated virtualisation may fail now and then, and never three times in a row."""
    assert {case.attempts for case in CASES} == {3}
