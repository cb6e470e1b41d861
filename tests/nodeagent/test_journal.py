"""The journal as the bus shows it, from what journalctl prints."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodeagent.journal import (
    LARGEST_REPLY,
    journal_argv,
    parse_journal,
    print_journal,
    read_journal,
    read_units,
)
from nodelib.bus_support import JournalRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError


def entry(number: int, message: object = "text", **fields: object) -> dict[str, object]:
    """Write an entry as journalctl does."""
    return {
        "__CURSOR": f"s=a;i={number}",
        "__REALTIME_TIMESTAMP": str(1_700_000_000_000_000 + number * 1_000_000),
        "MESSAGE": message,
        "PRIORITY": "6",
        "_SYSTEMD_UNIT": "a.service",
        **fields,
    }


class Journal:
    """journalctl, as far as lines and cursors go."""

    def __init__(self, entries: Sequence[dict[str, object]]) -> None:
        self.entries = list(entries)
        self.calls: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str]) -> str:
        """Print what was asked for; a cursor that is gone leads to the nearest line."""
        self.calls.append(argv)
        options = dict(word.partition("=")[::2] for word in argv)
        lines = options["--lines"]
        found = self.entries
        if cursor := options.get("--cursor"):
            found = [one for one in found if str(one["__CURSOR"]) >= cursor] or found[-1:]
        found = found[: int(lines)] if lines.startswith("+") else found[-int(lines) :]
        return "".join(f"{json.dumps(one)}\n" for one in found)


def test_the_command_line_says_what_is_asked() -> None:
    """One builder for the last lines and for those behind a cursor."""
    plain = journal_argv(JournalRequest(lines=50))
    assert plain[:5] == ("journalctl", "--boot", "--no-pager", "--quiet", "--output=json")
    assert plain[-2:] == ("--priority=7", "--lines=50")
    behind = journal_argv(JournalRequest("ssh.service", 3, 10, "s=a;i=7"))
    assert behind[-4:] == ("--priority=3", "--unit=ssh.service", "--cursor=s=a;i=7", "--lines=+11")


@pytest.mark.parametrize(
    "request_",
    [
        JournalRequest(unit="--root=/"),
        JournalRequest(unit="*"),
        JournalRequest(unit="a b"),
        JournalRequest(priority=8),
        JournalRequest(priority=-1),
        JournalRequest(lines=0),
        JournalRequest(lines=1001),
        JournalRequest(cursor="s=a --root=/"),
    ],
)
def test_what_cannot_be_asked_is_refused(request_: JournalRequest) -> None:
    """A unit is a name and no pattern, and numbers have bounds."""
    journal = Journal([])
    with pytest.raises(InvalidInput):
        read_journal(request_, command=journal)
    assert journal.calls == []


def test_the_last_lines_come_first_and_then_what_is_new() -> None:
    """A reader that hands the cursor back misses nothing and sees nothing twice."""
    journal = Journal([entry(number, f"line {number}") for number in range(1, 6)])
    first = read_journal(JournalRequest(lines=2), command=journal)
    assert [one.text for one in first.entries] == ["line 4", "line 5"]
    journal.entries += [entry(number, f"line {number}") for number in range(6, 9)]
    second = read_journal(JournalRequest(lines=2, cursor=first.cursor), command=journal)
    assert [one.text for one in second.entries] == ["line 6", "line 7"]
    third = read_journal(JournalRequest(lines=2, cursor=second.cursor), command=journal)
    assert [one.text for one in third.entries] == ["line 8"]
    nothing = read_journal(JournalRequest(lines=2, cursor=third.cursor), command=journal)
    assert (nothing.entries, nothing.cursor) == ((), third.cursor)


def test_a_cursor_that_is_gone_leads_to_the_last_lines() -> None:
    """Whether journalctl finds another line in its place or refuses it."""
    journal = Journal([entry(number, f"line {number}") for number in range(5, 8)])
    gone = read_journal(JournalRequest(lines=2, cursor="s=a;i=2"), command=journal)
    assert [one.text for one in gone.entries] == ["line 6", "line 7"]

    def refusing(argv: Sequence[str]) -> str:
        if any(word.startswith("--cursor") for word in argv):
            raise VirtnodeError(Code.FAILED, "journalctl ended with status 1: Failed to seek to cursor")
        return journal(argv)

    refused = read_journal(JournalRequest(lines=1, cursor="s=b;i=2"), command=refusing)
    assert [one.text for one in refused.entries] == ["line 7"]


def test_every_form_of_a_field_is_read() -> None:
    """Bytes that are no text, null for what is too long, a field twice, and lines that are no entry."""
    rows = [
        entry(1, [104, 101, 255]),
        entry(2, None),
        entry(3, ["one", [116, 119, 111]]),
        entry(4, "of init", UNIT="b.service", PRIORITY="3"),
        entry(5, "of the kernel", _SYSTEMD_UNIT=None, SYSLOG_IDENTIFIER="kernel", PRIORITY=None),
    ]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    lines = parse_journal(f"{text}no json\n[1]\n{{}}\n")
    assert [(one.entry.unit, one.entry.priority, one.entry.text) for one in lines] == [
        ("a.service", 6, "he\N{REPLACEMENT CHARACTER}"),
        ("a.service", 6, "(what was logged is too long to show)"),
        ("a.service", 6, "one two"),
        ("b.service", 3, "of init"),
        ("kernel", 6, "of the kernel"),
    ]
    assert lines[0].entry.time == 1_700_000_001.0


def test_nothing_moves_the_screen_and_no_secret_is_shown() -> None:
    """Control characters become blanks; what is known or looks like a secret is hidden."""
    journal = Journal(
        [
            entry(1, "a\x1b[2Jb\nc\x9bd\u202ee"),
            entry(2, "the proxy said sesame"),
            entry(3, "node.token=vnt_ABCDEF"),
        ]
    )
    texts = [one.text for one in read_journal(JournalRequest(), secrets=("sesame",), command=journal).entries]
    assert texts == ["a [2Jb c d e", "the proxy said (hidden)", "node.token=(hidden)"]


def test_a_key_that_is_logged_line_by_line_is_hidden() -> None:
    """From its first line to its last, or for a while where that never comes."""
    begin, end = "-----BEGIN EC PRIVATE KEY-----", "-----END EC PRIVATE KEY-----"
    journal = Journal([entry(number, text) for number, text in enumerate(("a", begin, "MIIE", end, "b"))])
    texts = [one.text for one in read_journal(JournalRequest(), command=journal).entries]
    assert texts == ["a", "(hidden)", "(hidden)", "(hidden)", "b"]
    journal = Journal([entry(1000, begin), *(entry(1001 + number, "x") for number in range(110))])
    texts = [one.text for one in read_journal(JournalRequest(), command=journal).entries]
    assert (texts[:100], texts[-1]) == (["(hidden)"] * 100, "x")


def test_a_reply_has_a_largest_size() -> None:
    """The last lines are kept of a request without a cursor, the next ones with one."""
    journal = Journal([entry(number, f"{number:03} {'x' * 4000}") for number in range(100, 400)])
    last = read_journal(JournalRequest(lines=300), command=journal)
    assert last.entries[-1].text.startswith("399")
    assert 100 < len(last.entries) < LARGEST_REPLY / 4000
    following = read_journal(JournalRequest(lines=300, cursor="s=a;i=100"), command=journal)
    assert following.entries[0].text.startswith("101")
    assert following.cursor == f"s=a;i={100 + len(following.entries)}"


def test_journalctl_is_run_as_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on the path is asked, and its words are read."""
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\necho '{json.dumps(entry(1, 'hello'))}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    reply = read_journal(JournalRequest(), command=print_journal)
    assert [one.text for one in reply.entries] == ["hello"]


def test_loaded_services_are_named_in_order() -> None:
    """What systemd only heard of is no unit of this node."""
    listing = [
        {"unit": "b.service", "load": "loaded"},
        {"unit": "gone.service", "load": "not-found"},
        {"unit": "a.service", "load": "loaded"},
    ]
    assert read_units(listing) == ("a.service", "b.service")
