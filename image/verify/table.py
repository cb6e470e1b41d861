"""Verdicts as a table for people and as JSON for programs."""

import json
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from image.verify.verdict import Verdict


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
    """Return what to print of a medium that failed: its reasons, and where the evidence is."""
    if verdict.passed:
        return []
    lines = [f"{verdict.medium}: {reason}" for reason in verdict.reasons]
    return [*lines, f"{verdict.medium}: console, journal and screenshot are in {verdict.evidence}"]


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
