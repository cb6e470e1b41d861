"""The system screen."""

import asyncio
import dataclasses

from nodelib.bus import CONFIG_SHOW
from nodelib.bus_system import (
    CHOICES,
    ChoicesReply,
    MaintenanceRequest,
    PowerDeed,
    PowerRequest,
    ResetRequest,
)
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tests.tui.test_dialogs import cut
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogs.preview import PreviewDialog
from tui.dialogs.typed import TypedDialog
from tui.frame import Frame
from tui.texts import say
from tui.widgets.fields import ChoiceField

PASSWORD = "correct horse"


async def unlock(session: Session) -> None:
    """Give the password where it is asked for."""
    await session.wait_for(lambda: say("dialog.unlock_text", account="admin") in session.text)
    await session.type(PASSWORD)
    await session.press("enter")


def test_the_system_is_shown(picture: Picture) -> None:
    """Keyboard, time zone, versions, slots; what the engine decides is read-only and says so."""

    async def go() -> None:
        async with running("server", first="system") as session:
            await session.wait_for(lambda: "6.12.48" in session.text)
            picture("system", session)
        async with running("server", first="system", look=COLOUR, size=(120, 40)) as session:
            await session.wait_for(lambda: "6.12.48" in session.text)
            picture("system-wide", session)

    asyncio.run(go())


def test_a_keyboard_is_chosen_and_applied(picture: Picture) -> None:
    """Enter opens the list, typing makes it shorter, Apply shows the change and has it confirmed."""

    async def go() -> None:
        async with running("small") as session:
            keymaps = (*(f"layout{number}" for number in range(300)), "de-latin1", "us")
            session.machine.put(CHOICES, ChoicesReply(keymaps, ("Etc/UTC",)))
            await session.press("0", "enter")
            await session.type("lat")
            picture("system-keymap", session)
            await session.press("enter")
            await session.wait_for(lambda: "< de-latin1 >" in session.text)
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            await session.press("right", "enter")
            await session.wait_for(lambda: "< us >" in session.text)
            assert "keymap" not in session.machine.get(CONFIG_SHOW).document["system"]

    asyncio.run(go())


def test_nothing_opens_before_the_lists_are_known() -> None:
    """Enter on a value that there is nothing to choose for yet shows no empty list."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("0")
            await session.wait_for(lambda: "< us >" in session.text)
            for field in session.app.query(ChoiceField):
                field.choices = ()
            await session.press("enter")
            await session.settle()
            assert isinstance(session.app.screen, Frame)

    asyncio.run(go())


def test_an_image_without_lists_says_so(picture: Picture) -> None:
    """Nothing can be chosen then, and the person knows why."""

    async def go() -> None:
        async with running("small") as session:
            session.machine.put(CHOICES, ChoicesReply())
            await session.press("0")
            await session.wait_for(lambda: say("system.keymap_none")[:20] in session.text)
            picture("system-no-lists", session)
            assert cut(session) == []

    asyncio.run(go())


def test_what_the_node_has_against_a_choice_is_said_at_its_field(picture: Picture) -> None:
    """The refusal stands below the value; nothing was applied."""

    async def go() -> None:
        async with running("small") as session:
            session.machine.put(CHOICES, ChoicesReply(("de!", "us"), ("Etc/UTC",)))
            await session.press("0", "enter", "up", "enter")
            await session.wait_for(lambda: "< de! >" in session.text)
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: "not allowed here" in session.text)
            picture("system-refused", session)
            assert "keymap" not in session.machine.get(CONFIG_SHOW).document["system"]

    asyncio.run(go())


def test_what_was_chosen_stays_while_one_looks_elsewhere() -> None:
    """A page that is left and opened again has what was chosen, not what is in force."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("0", "enter", "up", "enter")
            await session.wait_for(lambda: "< gb >" in session.text)
            await session.press("1", "0")
            assert "< gb >" in session.text

    asyncio.run(go())


def test_apply_without_a_change_says_so() -> None:
    """Nothing is sent then."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("0", "tab", "tab", "enter")
            await session.wait_for(lambda: say("dialog.preview_none") in session.text)
            assert "ConfigPlan" not in [name for name, _ in session.machine.calls]

    asyncio.run(go())


def test_what_runs_is_named_before_a_restart_stops_it(picture: Picture) -> None:
    """Counted first, named by the node's refusal, and stopped only after a second yes."""

    async def go() -> None:
        async with running("server", first="system") as session:
            await session.press("0", "r")
            picture("system-reboot", session)
            await session.press("right", "enter")
            await unlock(session)
            await session.wait_for(lambda: say("power.stop_question") in session.text)
            picture("system-stop", session)
            await session.press("enter")
            assert "ended" not in session.machine.notes
            await session.press("r", "right", "enter")
            await session.wait_for(lambda: say("power.stop_question") in session.text)
            await session.press("right", "enter")
            await session.wait_for(lambda: say("power.reboot_sent") in session.text)
            assert ("Power", PowerRequest(PowerDeed.REBOOT, True)) in session.machine.calls

    asyncio.run(go())


def test_a_machine_without_guests_switches_off_after_one_question() -> None:
    """There is nothing to name."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("0", "o", "right", "enter")
            await session.wait_for(lambda: say("power.poweroff_sent") in session.text)
            assert session.machine.notes["ended"] == "poweroff"

    asyncio.run(go())


def test_maintenance_is_asked_of_the_engine(picture: Picture) -> None:
    """On and off again; a node without an engine says what is wrong, and what to do."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("0", "m", "right", "enter")
            await unlock(session)
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            assert ("Maintenance", MaintenanceRequest(True)) in session.machine.calls
            await session.press("enter")
            await session.wait_for(lambda: not isinstance(session.app.screen, MessageDialog))
            await session.press("m")
            await session.wait_for(lambda: say("system.maintenance_end") in session.text)
        async with running("small") as session:
            await session.press("0", "m", "right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            picture("system-maintenance-error", session)

    asyncio.run(go())


def test_a_reset_needs_the_host_name(picture: Picture) -> None:
    """Another word resets nothing; the right one does, once what runs was named."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await session.press("0", "f")
            await session.wait_for(lambda: isinstance(session.app.screen, TypedDialog))
            await session.type("node")
            await session.press("enter")
            picture("system-reset-wrong", session)
            assert cut(session) == []
            await session.press(*["backspace"] * 4)
            await session.type("a" * 63)
            await session.press("enter")
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))
            assert cut(session) == []
            await session.press("right", "enter")
            await session.wait_for(lambda: say("system.reset_sent") in session.text)
            assert session.machine.calls[-1][0] != "Power"
            assert ("FactoryReset", ResetRequest("a" * 63, True)) in session.machine.calls

    asyncio.run(go())


def test_a_reset_needs_a_name_to_type() -> None:
    """Before the node's name is known there is nothing that could be typed."""

    async def go() -> None:
        async with running("small", first="system") as session:
            session.machine.set_status(hostname="")
            await session.app.node_watch.refresh()
            await session.press("0", "f")
            await session.wait_for(lambda: say("system.no_hostname")[:30] in session.text)
            assert dataclasses.asdict(session.app.node_watch.seen.status)["hostname"] == ""

    asyncio.run(go())
