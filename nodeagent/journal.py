"""The journal of this boot for people who look for a reason: bounded, readable, and without secrets."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nodeagent.support import HIDDEN, hide
from nodelib.bus_support import JournalEntry, JournalReply, JournalRequest
from nodelib.codec import encode
from nodelib.errors import InvalidInput, VirtnodeError
from nodelib.run import run

MOST_LINES = 1000
LARGEST_REPLY = 512 << 10
LEAST_URGENT = 7
TIMEOUT = 15.0
FIELDS = "MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,_COMM"
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.@\\-]{1,255}")
CURSOR = re.compile(r"[A-Za-z0-9=;]{1,300}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")
"""What moves a terminal's cursor, ends a line, or turns the direction of writing."""
KEY_BEGINS, KEY_ENDS = (re.compile(rf"-----{word} [A-Z ]*PRIVATE KEY-----") for word in ("BEGIN", "END"))
KEY_LINES = 100
"""How many lines behind its first are taken for those of a key whose last never comes."""
UNREADABLE = "(what was logged is too long to show)"
UNITS_COMMAND = ("systemctl", "list-units", "--all", "--type=service", "--output=json")

Print = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed; raises VirtnodeError where it fails."""


@dataclass(frozen=True)
class Line:
    """An entry, and where it stands in the journal."""

    cursor: str
    entry: JournalEntry


def print_journal(argv: Sequence[str]) -> str:
    """Run journalctl, for as long as it may take."""
    return run(argv, timeout=TIMEOUT).stdout


def check_request(request: JournalRequest) -> None:
    """Refuse what cannot be asked; raises InvalidInput with everything that is wrong."""
    problems = []
    if request.unit and not UNIT_NAME.fullmatch(request.unit):
        problems.append(f"unit: {request.unit[:60]!r} is no unit's name")
    if not 0 <= request.priority <= LEAST_URGENT:
        problems.append(f"priority: {request.priority} is not from 0 to {LEAST_URGENT}")
    if not 1 <= request.lines <= MOST_LINES:
        problems.append(f"lines: {request.lines} is not from 1 to {MOST_LINES}")
    if request.cursor and not CURSOR.fullmatch(request.cursor):
        problems.append("cursor: not one that this method gave")
    if problems:
        raise InvalidInput(problems)


def journal_argv(request: JournalRequest) -> tuple[str, ...]:
    """Ask for the last lines, or for the line at the cursor and those behind it."""
    argv = ["journalctl", "--boot", "--no-pager", "--quiet", "--output=json", f"--output-fields={FIELDS}"]
    argv.append(f"--priority={request.priority}")
    if request.unit:
        argv.append(f"--unit={request.unit}")
    if request.cursor:
        return (*argv, f"--cursor={request.cursor}", f"--lines=+{request.lines + 1}")
    return (*argv, f"--lines={request.lines}")


def read_journal(
    request: JournalRequest, *, secrets: Sequence[str] = (), command: Print = print_journal
) -> JournalReply:
    """Read the lines that are asked for; where the cursor's line is gone, the last ones instead."""
    check_request(request)
    if request.cursor:
        lines = _lines_behind(request, secrets, command)
        if lines is not None:
            kept = _fitting(lines)
            return JournalReply(_entries(kept), kept[-1].cursor if kept else request.cursor)
        request = JournalRequest(request.unit, request.priority, request.lines)
    lines = parse_journal(command(journal_argv(request)), secrets)
    kept = _fitting(lines[::-1])[::-1]
    return JournalReply(_entries(kept), kept[-1].cursor if kept else "")


def read_units(listing: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Name the services that systemd has loaded."""
    found = {str(unit["unit"]) for unit in listing if unit.get("load") == "loaded" and unit.get("unit")}
    return tuple(sorted(found))


def parse_journal(text: str, secrets: Sequence[str] = ()) -> list[Line]:
    """Read journalctl's JSON, a line an entry; what is no entry is passed over."""
    return list(_parse(text, secrets))


def _parse(text: str, secrets: Sequence[str]) -> Iterator[Line]:
    left_of_key = 0
    for row in text.splitlines():
        try:
            fields = json.loads(row)
            time = int(fields["__REALTIME_TIMESTAMP"]) / 1e6
            cursor = str(fields["__CURSOR"])
        except (ValueError, TypeError, KeyError):
            continue
        priority = _text(fields.get("PRIORITY"))
        source = next(
            (_text(fields[name]) for name in ("UNIT", "_SYSTEMD_UNIT", "SYSLOG_IDENTIFIER", "_COMM")
             if fields.get(name)), ""
        )  # fmt: skip
        message = _text(fields.get("MESSAGE"))
        # A key that is logged line by line is one to a reader.
        left_of_key = KEY_LINES if KEY_BEGINS.search(message) else max(0, left_of_key - 1)
        shown = HIDDEN if left_of_key else _plain(hide(message, secrets))
        if KEY_ENDS.search(message):
            left_of_key = 0
        yield Line(
            cursor,
            JournalEntry(time, int(priority) if priority in set("01234567") else 6, _plain(source), shown),
        )


def _lines_behind(request: JournalRequest, secrets: Sequence[str], command: Print) -> list[Line] | None:
    """Read what comes after the cursor; None where its own line is no longer there."""
    try:
        lines = parse_journal(command(journal_argv(request)), secrets)
    except VirtnodeError:
        # A cursor of a journal that was thrown away cannot even be looked for.
        return None
    # journalctl goes to the nearest line where there is no such one.
    return lines[1:] if lines and lines[0].cursor == request.cursor else None


def _fitting(lines: Sequence[Line]) -> list[Line]:
    """Keep the first lines, as many as a reply may carry."""
    kept, size = [], 0
    for line in lines:
        size += len(json.dumps(encode(line.entry))) + 1
        if size > LARGEST_REPLY:
            break
        kept.append(line)
    return kept


def _entries(lines: Sequence[Line]) -> tuple[JournalEntry, ...]:
    return tuple(line.entry for line in lines)


def _text(value: object) -> str:
    """Read a field: a text, the bytes of one that is no UTF-8, several of them, or null for a long one."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value).decode(errors="replace")
    if isinstance(value, list):
        return " ".join(_text(item) for item in value)
    return UNREADABLE


def _plain(text: str) -> str:
    return CONTROL.sub(" ", text).strip()
