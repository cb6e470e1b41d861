"""Verdicts are shown as a table and as JSON."""

import dataclasses
import io
import json
from pathlib import Path

from rich.console import Console

from image.verify.report import parse_report
from image.verify.table import failure_lines, verdict_table, verdicts_json
from image.verify.verdict import Ending, Verdict
from tests.image.verify.fake_qemu import make_report

PASSED = Verdict("iso-cd-bios", (), ending=Ending.REPORTED, report=parse_report(make_report()), seconds=41.23)
FAILED = Verdict(
    "pxe-bios",
    ("no report came within the deadline",),
    ending=Ending.DEADLINE,
    report=parse_report(""),
    seconds=600.0,
    evidence=Path("/evidence/pxe-bios"),
)


def test_table_has_a_row_for_each_medium() -> None:
    """What was not told is a dash."""
    text = io.StringIO()
    Console(file=text, width=120).print(verdict_table((PASSED, FAILED)))
    rows = [line.split() for line in text.getvalue().splitlines() if "bios" in line]
    assert [cell for cell in rows[0] if cell != "│"] == ["iso-cd-bios", "pass", "19", "26", "256", "41", "1"]
    assert [cell for cell in rows[1] if cell != "│"] == ["pxe-bios", "FAIL", "-", "-", "-", "600", "1"]


def test_failure_is_told_with_its_evidence() -> None:
    """A person reads why, and where to look."""
    assert failure_lines(PASSED) == []
    assert failure_lines(FAILED) == [
        "pxe-bios: no report came within the deadline",
        "pxe-bios: console, journal and screenshot are in /evidence/pxe-bios",
    ]


def test_failure_shows_the_last_words(tmp_path: Path) -> None:
    """Where the evidence is lost, the console's end tells what the machine waited for."""
    lines = [f"[    {number}.0] line {number}" for number in range(30)]
    console = "\r\n".join(["BdsDxe: starting\x1b[2J\x1b[01;01H", *lines, "", "\x1b[0;1;31mStopped\x1b[0m"])
    (tmp_path / "console.log").write_bytes(console.encode() + b"\xff")
    told = failure_lines(dataclasses.replace(FAILED, evidence=tmp_path))
    assert told[1:-1] == [f"pxe-bios: console: {line}" for line in [*lines[-19:], "Stopped\ufffd"]]


def test_json_has_numbers_and_nulls() -> None:
    """A program can tell 0 from unknown."""
    passed, failed = json.loads(verdicts_json((PASSED, FAILED)))
    assert (passed["medium"], passed["passed"], passed["seconds"]) == ("iso-cd-bios", True, 41.2)
    assert (passed["seconds_to_prompt"], passed["memory_mib"]) == (19.0, 256)
    assert (failed["seconds_to_prompt"], failed["reasons"]) == (None, ["no report came within the deadline"])
    assert failed["evidence"] == "/evidence/pxe-bios"
