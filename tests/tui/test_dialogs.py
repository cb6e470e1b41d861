"""What every screen shares: power, help, the palette, a change that waits, text that is cut nowhere."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import DataTable, Input, OptionList

from nodelib.bus import CONFIG_SHOW, STATUS
from nodelib.bus_access import ACCESS
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, Session, running
from tui.dialogs.approval import ApprovalDialog
from tui.dialogs.choice import Choice, ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogs.preview import PreviewDialog
from tui.dialogs.typed import TypedDialog
from tui.look import Look
from tui.screen_table import SCREENS
from tui.texts import ENGLISH, say
from tui.widgets.line import Line
from tui.widgets.press import Press

PATCH = {"system": {"hostname": "other.example.org"}}


async def apply(session: Session) -> None:
    """Begin a change as a screen does, and say yes to its preview."""
    session.app.run_worker(session.app.dialogue.apply(PATCH))
    await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
    await session.press("right", "enter")
    await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))


def test_a_change_is_shown_applied_counted_down_and_kept(picture: Picture) -> None:
    """What would change is seen before, the seconds are counted, and keeping it confirms the change."""

    async def go() -> None:
        async with running() as session:
            session.app.run_worker(session.app.dialogue.apply(PATCH))
            await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
            picture("preview", session)
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            session.clock.now += 15
            session.app._each_second()
            await session.settle()
            picture("pending", session)
            await session.press("right", "right", "enter")
            await session.wait_for(lambda: session.machine.get(STATUS).pending is None)
            document = session.machine.get(CONFIG_SHOW).document
            assert document["system"]["hostname"] == "other.example.org"
            await session.wait_for(lambda: "A change waits" not in session.text)

    asyncio.run(go())


def test_a_change_that_nobody_confirms_goes_back_by_itself() -> None:
    """The dialog goes with the change that it was about."""

    async def go() -> None:
        async with running() as session:
            await apply(session)
            session.clock.now += 61
            await session.app.node_watch.refresh()
            await session.wait_for(lambda: not isinstance(session.app.screen, PendingDialog))
            document = session.machine.get(CONFIG_SHOW).document
            assert document["system"]["hostname"] == "node1.example.org"

    asyncio.run(go())


def test_deciding_later_leaves_a_banner(picture: Picture) -> None:
    """Esc keeps the countdown in sight on every screen, and d asks again."""

    async def go() -> None:
        async with running() as session:
            await apply(session)
            session.app._each_second()
            await session.press("escape", "3")
            picture("pending-later", session)
            await session.press("ctrl+d")
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))

    asyncio.run(go())


def test_an_idle_console_locks_itself() -> None:
    """After the seconds that the node says without a key, the lock is closed and seen."""

    async def go() -> None:
        async with running("server") as session:
            access = dataclasses.replace(session.machine.get(ACCESS), unlocked=True)
            session.machine.put(ACCESS, access)
            await session.app.node_watch.refresh()
            session.clock.now += 299
            session.app._each_second()
            await session.settle()
            assert session.machine.get(ACCESS).unlocked
            session.clock.now += 2
            session.app._each_second()
            await session.wait_for(lambda: say("frame.locked") in session.text)
            assert not session.machine.get(ACCESS).unlocked

    asyncio.run(go())


@pytest.mark.parametrize("keys", [["f1"], ["ctrl+g"], ["question_mark"]])
def test_help_has_three_keys(keys: list[str], picture: Picture) -> None:
    """Where function keys get lost, others do the same."""

    async def go() -> None:
        async with running() as session:
            await session.press(*keys)
            picture("help", session)

    asyncio.run(go())


def test_the_help_says_what_the_keys_do_and_no_more() -> None:
    """Each line stands as it is in the catalogue: q stays q, and no full stop follows a comma."""

    async def go() -> None:
        async with running() as session:
            await session.press("f1")
            lines = [str(line.text) for line in session.app.screen.query(".body Line").results(Line)]
            everywhere = lines[lines.index(say("help.everywhere")) + 1 :]
            assert everywhere == say("help.keys").splitlines()
            begun = {line.split()[0] for line in lines if line}
            assert {"Enter", "Space", "PgUp,", "Ctrl-P", "Ctrl-D", "Ctrl-L", "q"} <= begun

    asyncio.run(go())


@pytest.mark.parametrize("key", ["enter", "space"])
def test_space_chooses_as_enter_does(key: str) -> None:
    """In a list without a filter both take what is marked."""

    async def go() -> None:
        async with running() as session:
            await session.press("f2", "down", key)
            await session.wait_for(lambda: ">3" in session.text)

    asyncio.run(go())


def test_the_palette_finds_an_action_of_any_screen(picture: Picture) -> None:
    """A few letters of its name open the screen and begin the action."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("ctrl+p")
            await session.type("leave")
            picture("palette", session)
            await session.press("enter")
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))

    asyncio.run(go())


def test_customise_offers_the_screens_with_settings(picture: Picture) -> None:
    """F2 lists them, Enter opens one."""

    async def go() -> None:
        async with running() as session:
            await session.press("f2")
            picture("customise", session)
            await session.press("enter")
            await session.wait_for(lambda: ">2" in session.text)

    asyncio.run(go())


LONG = "x" * 63
DIALOGS: dict[str, Callable[[], ModalScreen[Any]]] = {
    "message": lambda: MessageDialog(
        f"{LONG} cannot be reached", f"look whether {LONG} is right", title=LONG
    ),
    "confirm": lambda: ConfirmDialog(f"Leave {LONG}.example.org:7443?", f"{LONG}\n{LONG}"),
    "typed": lambda: TypedDialog(f"Reset {LONG}?", f"{LONG} forgets all.", LONG),
    "password": lambda: PasswordDialog("admin", "too many wrong passwords; wait 30 seconds"),
    "preview": lambda: PreviewDialog([f"network.nic: {LONG} {number}" for number in range(30)], 60),
    "pending": lambda: PendingDialog("t", [f"network.nic: {LONG} {number}" for number in range(30)], 60),
    "choice": lambda: ChoiceDialog(LONG, [Choice(str(number), f"{LONG} {number}") for number in range(500)]),
    "approval": lambda: ApprovalDialog("7KX2M-9QWRT", f"SHA256:{'3fa9' * 16}", ascii=True),
}


@pytest.mark.parametrize("look", [PLAIN, COLOUR], ids=["plain", "colour"])
@pytest.mark.parametrize("name", DIALOGS)
def test_no_dialog_is_cut(name: str, look: Look) -> None:
    """With the longest values at 80x24 every part is within the screen or can be scrolled to."""

    async def go() -> None:
        async with running(look=look) as session:
            session.app.push_screen(DIALOGS[name]())
            await session.settle()
            assert cut(session) == []

    asyncio.run(go())


@pytest.mark.parametrize("machine", ["server", "thirty-nics"])
@pytest.mark.parametrize("key", SCREENS)
def test_no_screen_is_cut(key: str, machine: str) -> None:
    """With the longest values at 80x24 every part of a screen is whole or can be scrolled to."""

    async def go() -> None:
        async with running(machine, first=key) as session:
            assert cut(session) == []

    asyncio.run(go())


def cut(session: Session) -> list[str]:
    """Name the widgets that stick out of what holds them, or whose text has no room."""
    screen = session.app.screen
    found = []
    for widget in screen.walk_children(Widget):
        if not widget.is_on_screen and not widget.region:
            continue
        if not widget.display or not all(
            above.display for above in widget.ancestors if isinstance(above, Widget)
        ):
            continue
        if isinstance(widget.parent, DataTable | OptionList | Input):
            continue
        region = widget.region
        if region.x < 0 or region.right > session.app.size.width:
            found.append(f"{widget!r} sticks out: {region}")
        holder = widget.parent if isinstance(widget.parent, Widget) else None
        if holder is not None and not holder.allow_vertical_scroll and region.bottom > holder.region.bottom:
            found.append(f"{widget!r} is cut below: {region} in {holder.region}")
        if isinstance(widget, Line) and widget.text and lines_of(widget) > region.height:
            found.append(f"{widget!r} has more text than room: {widget.text}")
        if isinstance(widget, Press) and widget.region.width < widget.render().cell_length:
            found.append(f"{widget!r} is too narrow")
    return found


def lines_of(line: Line) -> int:
    """Count the lines that a text takes in the width that it has."""
    content = Content(line.text) if isinstance(line.text, str) else line.text
    return len(content.wrap(line.content_region.width)) if line.content_region.width else 99


def test_what_is_cut_is_found() -> None:
    """The check itself sees a text that has too little room."""

    async def go() -> None:
        async with running() as session:
            label = session.app.query("Pair .said").first(Line)
            label.styles.height = 1
            label.show(LONG * 3)
            await session.settle()
            assert cut(session) != []

    asyncio.run(go())


def test_every_text_is_ascii_and_has_no_line_that_is_too_long() -> None:
    """A text that a serial terminal cannot show helps nobody."""
    assert [key for key, text in ENGLISH.items() if not text.isascii()] == []
    assert [key for key, text in ENGLISH.items() if max(map(len, text.split("\n"))) > 110] == []
