"""Verdicts as a table for people and as JSON for programs."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from image.verify.verdict import Verdict

LAST_WORDS = 20
"""Lines of its console that are shown of a machine that failed."""
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[c7-8]|[\x00-\x08\x0b-\x1f\x7f]")


def verdict_table(verdicts: Iterable[Verdict]) -> Table:
    """Return a table with a row for each medium; seconds to something count from the kernel's start."""
    table = Table()
    table.add_column("medium")
    table.add_column("verdict")
    for name in ("to prompt, s", "to libvirt, s", "memory, MiB", "whole run, s", "attempts"):
        table.add_column(name, justify="right")
    for verdict in verdicts:
        report = verdict.report
        table.add_row(
            verdict.medium,
            Text("pass", "green") if verdict.passed else Text("FAIL", "red"),
            _number(report.seconds_to_prompt),
            _number(report.seconds_to_libvirt),
            _number(report.memory_mib),
            _number(verdict.seconds),
            str(verdict.attempts),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def failure_lines(verdict: Verdict) -> list[str]:
    """Return what to print of a medium that failed: reasons, its last words, and where the evidence is."""
    if verdict.passed:
        return []
    lines = [*verdict.reasons, *last_words(verdict.evidence)]
    lines.append(f"console, journal and screenshot are in {verdict.evidence}")
    return [f"{verdict.medium}: {line}" for line in lines]


def last_words(evidence: Path | None) -> list[str]:
    """Return the end of what a machine wrote to its console, without what only a terminal understands."""
    try:
        text = "" if evidence is None else (evidence / "console.log").read_text(errors="replace")
    except FileNotFoundError:
        return []
    lines = [line.rstrip() for line in TERMINAL_CODES.sub("", text).splitlines()]
    return [f"console: {line}" for line in lines if line][-LAST_WORDS:]


def verdicts_json(verdicts: Iterable[Verdict]) -> str:
    """Return the verdicts as a JSON list; a number that the node did not tell is null."""
    return json.dumps([_as_object(verdict) for verdict in verdicts], indent=2)


def _as_object(verdict: Verdict) -> dict[str, object]:
    report = verdict.report
    return {
        "medium": verdict.medium,
        "passed": verdict.passed,
        "reasons": list(verdict.reasons),
        "attempts": verdict.attempts,
        "seconds": round(verdict.seconds, 1),
        "seconds_to_multi_user": report.seconds_to_multi_user,
        "seconds_to_prompt": report.seconds_to_prompt,
        "seconds_to_libvirt": report.seconds_to_libvirt,
        "seconds_of_guest": report.guest.seconds if report.guest else None,
        "memory_mib": report.memory_mib,
        "kernel": report.kernel,
        "firmware": report.firmware,
        "secure_boot": report.secure_boot,
        "evidence": str(verdict.evidence) if verdict.evidence else None,
    }
