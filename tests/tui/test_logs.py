"""The logs screen."""

import asyncio

import pytest

from nodelib.bus_support import JOURNAL, JournalEntry, JournalReply, JournalRequest
from nodelib.errors import Code, VirtnodeError
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tests.tui.test_dialogs import cut
from tui.dialogs.choice import ChoiceDialog
from tui.dialogs.entry import EntryDialog
from tui.dialogs.message import MessageDialog
from tui.screens.logs import LogsPage
from tui.texts import say
from tui.widgets.log_view import MOST, LogView, wrap_entry


def grow(session: Session, *texts: str, priority: int = 6) -> None:
    """Let the journal go on."""
    entries = session.machine.get(JOURNAL).entries
    last = entries[-1].time if entries else 1767225600.0
    more = [
        JournalEntry(last + 1 + number, priority, "sshd.service", text) for number, text in enumerate(texts)
    ]
    session.machine.put(JOURNAL, JournalReply((*entries, *more)))


async def poll(session: Session) -> None:
    """Let the screen look for more, as its timer does."""
    session.app.query_one(LogsPage).poll()
    await session.settle()


async def search(session: Session, text: str) -> None:
    """Search for a text."""
    await session.press("slash")
    await session.wait_for(lambda: isinstance(session.app.screen, EntryDialog))
    await session.type(text)
    await session.press("enter")


def test_the_journal_is_shown_from_its_end(picture: Picture) -> None:
    """Time, unit, how bad as a word, text; long lines wrap."""

    async def go() -> None:
        for machine in ("server", "thirty-nics"):
            async with running(machine) as session:
                await session.press("8")
                picture(f"logs-{machine}", session)
                assert cut(session) == []
        async with running("server", look=COLOUR, size=(120, 40)) as session:
            await session.press("8")
            picture("logs-wide", session)

    asyncio.run(go())


def test_it_is_followed_and_stopped(picture: Picture) -> None:
    """What is new comes by itself at the end; whoever has scrolled up stays there; f stops it."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("8")
            grow(session, "a new line")
            await poll(session)
            assert "a new line" in session.text
            await session.press("home")
            grow(session, "another line")
            await poll(session)
            assert ": line 1 of the journal" in session.text
            await session.press("end")
            assert "another line" in session.text
            await session.press("f")
            grow(session, "a third line")
            await poll(session)
            assert "a third line" not in session.text
            picture("logs-stopped", session)
            await session.press("f")
            await session.wait_for(lambda: "a third line" in session.text)
            await session.press("1")
            calls = len(session.machine.calls)
            await poll(session)
            assert [name for name, _ in session.machine.calls[calls:] if name == "Journal"] == []

    asyncio.run(go())


def test_a_unit_and_a_priority_are_chosen(picture: Picture) -> None:
    """The list of units is filtered by typing; nothing of a kind is said."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await session.press("8", "u")
            await session.wait_for(lambda: isinstance(session.app.screen, ChoiceDialog))
            await session.type("agent")
            picture("logs-units", session)
            await session.press("enter")
            await session.wait_for(lambda: "virtnode-agent.service  everything" in session.text)
            await session.press("p", "down", "down", "down", "enter")
            await session.wait_for(lambda: "warning and worse" in session.text)
            wanted = JournalRequest("virtnode-agent.service", 4, MOST, "")
            assert ("Journal", wanted) in session.machine.calls
            await session.press("p", "up", "up", "up")
            await session.press(*["down"] * 7, "enter")
            await session.wait_for(lambda: "emergency and worse" in session.text)
            picture("logs-nothing", session)
            grow(session, "on fire", priority=0)
            await poll(session)
            assert "on fire" not in session.text

    asyncio.run(go())


def test_a_text_is_searched(picture: Picture) -> None:
    """The newest line with it comes first, n and N go to the others, nothing found is said."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("8")
            await search(session, "LINE 1")
            picture("logs-search", session)
            assert "11 of 11" in session.text
            await session.press("n", "n")
            assert "9 of 11" in session.text
            await session.press("N")
            assert "10 of 11" in session.text
            await search(session, "x")
            picture("logs-not-found", session)
            await session.press("slash", *["backspace"] * 7, "enter")
            await session.wait_for(lambda: "not found" not in session.text)

    asyncio.run(go())


def test_a_journal_that_cannot_be_read_is_said_once(picture: Picture) -> None:
    """A dialog for what a person asked for; a line for what is polled, which goes when all is well."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("8")
            refusal = VirtnodeError(Code.FAILED, "the journal cannot be read", "look at the state disk")
            session.machine.refusal = refusal
            await poll(session)
            picture("logs-trouble", session)
            await session.press("u")
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            await session.press("enter")
            session.machine.refusal = None
            await poll(session)
            assert "cannot be read" not in session.text

    asyncio.run(go())


def test_no_more_than_a_thousand_lines_are_kept() -> None:
    """Old ones go, the place that one reads at stays."""

    async def go() -> None:
        async with running("server") as session:
            grow(session, *(f"entry {number}" for number in range(MOST)))
            await session.press("8")
            view = session.app.query_one(LogView)
            assert len(view.entries) == MOST
            view.scroll_to(y=500, animate=False)
            await session.settle()
            before = session.text.splitlines()[5]
            grow(session, *(f"more {number}" for number in range(10)))
            await poll(session)
            assert len(view.entries) == MOST
            assert view.entries[-1].text == "more 9"
            assert session.text.splitlines()[5] == before

    asyncio.run(go())


def test_a_poll_without_news_draws_nothing() -> None:
    """A serial line stays quiet."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("8")
            view = session.app.query_one(LogView)
            rows = view._rows
            await poll(session)
            assert view._rows is rows

    asyncio.run(go())


def test_what_was_shown_is_not_shown_twice() -> None:
    """A journal that was rotated answers with its last lines instead of what is new."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("8")
            view = session.app.query_one(LogView)
            before = view.entries
            view.append((*before[-5:], JournalEntry(2e9, 6, "kernel", "new")))
            assert view.entries[:-1] == before

    asyncio.run(go())


@pytest.mark.parametrize("text", ["x" * 200, "word " * 50, "\u6f22\u5b57" * 60])
def test_no_part_of_a_line_is_lost(text: str) -> None:
    """Long words, many words, and letters two cells wide."""
    rows = wrap_entry(JournalEntry(1767225600.0, 3, "kernel", text), 58)
    assert max(map(len, rows)) <= 58
    assert "".join("".join(rows).split()).endswith("".join(text.split())[-100:])
    assert say("logs.level.3") in rows[0]
