"""Updates on the system screen: bundle, plan, progress, trial, and the way back."""

import asyncio

import pytest

from nodelib.bus_update import (
    ROLL_BACK,
    UPDATE_PLAN,
    UPDATE_RUN,
    UPDATE_VIEW,
    RollBack,
    UpdateRun,
    UpdateState,
    UpdateView,
)
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, Session, running
from tests.tui.test_dialogs import cut
from tests.tui.test_system import unlock
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.editing import EditDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.update_plan import UpdatePlanDialog
from tui.screens.system import SystemPage
from tui.texts import say
from tui.update_text import view_text
from tui.widgets.press import Press

WHERE = "https://u.example.org/2.update"


async def see(session: Session, kind: type) -> None:
    """Wait for a dialog."""
    await session.wait_for(lambda: isinstance(session.app.screen, kind))


async def go_on(session: Session, seconds: float) -> None:
    """Let time go by, and the page look."""
    session.clock.now += seconds
    session.app.query_one(SystemPage).poll()
    await session.settle()


async def ask_for_plan(session: Session, where: str) -> None:
    """Type where a bundle is, and have the plan shown."""
    await session.press("0")
    await session.wait_for(lambda: "6.12.48" in session.text)
    await session.press("u")
    await see(session, EditDialog)
    await session.type(where)
    await session.press("tab", "tab", "tab", "enter")


async def begin(session: Session, where: str) -> None:
    """Start an update on the server, whose virtual machines may be stopped."""
    await ask_for_plan(session, where)
    await see(session, UpdatePlanDialog)
    await session.press("right", "enter")
    await see(session, ConfirmDialog)
    await session.press("right", "enter")
    await unlock(session)
    await session.wait_for(lambda: say("power.stop_question") in session.text)
    await session.press("right", "enter")
    await session.wait_for(lambda: say("update.percent", bar="", percent=0).strip() in session.text)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["small", "wide"])
def test_an_update_is_planned_confirmed_watched_and_kept(size: tuple[int, int], picture: Picture) -> None:
    """Plan, question, progress, trial with what it waits for, and the end; a person sees each."""
    name = "update" if size == (80, 24) else "update-wide"

    async def go() -> None:
        async with running("server", look=PLAIN if size == (80, 24) else COLOUR, size=size) as session:
            await ask_for_plan(session, WHERE)
            await see(session, UpdatePlanDialog)
            picture(f"{name}-plan", session)
            assert cut(session) == []
            await session.press("escape")
            await begin(session, WHERE)
            assert (UPDATE_RUN.name, UpdateRun(WHERE, True, True)) in session.machine.calls
            await go_on(session, 30)
            picture(f"{name}-running", session)
            await go_on(session, 40)
            await session.wait_for(lambda: "runs on trial" in session.text)
            picture(f"{name}-trial", session)
            assert cut(session) == []
            await go_on(session, 60)
            await session.wait_for(lambda: "is kept" in session.text)
            assert "0.2.0, /dev/sda4, runs now" in session.text

    asyncio.run(go())


def test_a_way_back_names_both_images(picture: Picture) -> None:
    """The question says what runs now and what will; virtual machines are asked about first."""

    async def go() -> None:
        async with running("server", first="system") as session:
            await begin(session, WHERE)
            await go_on(session, 70)
            await go_on(session, 60)
            await session.wait_for(lambda: "is kept" in session.text)
            await session.press("b")
            await see(session, ConfirmDialog)
            picture("update-back", session)
            await session.press("right", "enter")
            await session.wait_for(lambda: say("power.stop_question") in session.text)
            await session.press("right", "enter")
            await see(session, MessageDialog)
            assert (ROLL_BACK.name, RollBack(True)) in session.machine.calls
            await session.press("enter")
            await session.wait_for(lambda: "was taken back" in session.text)

    asyncio.run(go())


def test_without_an_image_to_go_back_to_it_says_so() -> None:
    """There is no button for it, and the key says why."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("0")
            await session.wait_for(lambda: f"[ {say('update.here')} ]" in session.text)
            assert f"[ {say('update.roll_back')} ]" not in session.text
            await session.press("b")
            await session.wait_for(lambda: "no other image" in session.text)
            assert ROLL_BACK.name not in [name for name, _ in session.machine.calls]

    asyncio.run(go())


def test_without_slots_nothing_is_offered() -> None:
    """Neither button nor footer names what cannot be done."""

    async def go() -> None:
        for machine, offers in (("server", True), ("small", False)):
            async with running(machine) as session:
                await session.press("0")
                await session.wait_for(lambda: "6.12.48" in session.text)
                await session.settle()
                assert (f"[ {say('update.here')} ]" in session.text) is offers
                assert (f"b {say('update.roll_back')}" in session.text) is offers

    asyncio.run(go())


def test_a_node_without_slots_cannot_go_on(picture: Picture) -> None:
    """The plan says what is in the way, and has no button for it."""

    async def go() -> None:
        async with running("small") as session:
            await ask_for_plan(session, WHERE)
            await see(session, UpdatePlanDialog)
            picture("update-impossible", session)
            assert say("update.go_on") not in session.text

    asyncio.run(go())


def test_what_is_no_place_of_a_bundle_is_said_at_the_field() -> None:
    """Nothing typed, and a word that is neither address nor path."""

    async def go() -> None:
        async with running("small") as session:
            await ask_for_plan(session, "")
            await session.wait_for(lambda: "Give the bundle's address" in session.text)
            await session.press("escape")
            await ask_for_plan(session, "stick")
            await session.wait_for(lambda: "neither an address" in session.text)

    asyncio.run(go())


@pytest.mark.parametrize(
    ("where", "seconds", "said"), [("/worn", 40, "Input/output"), ("/ill", 70, "lacked")]
)
def test_an_update_that_fails_says_why(where: str, seconds: float, said: str) -> None:
    """One that cannot be written changes nothing, one that does not prove healthy went back."""

    async def go() -> None:
        async with running("server") as session:
            await begin(session, where)
            await go_on(session, seconds)
            await go_on(session, 60)
            await session.wait_for(lambda: said in session.text)

    asyncio.run(go())


def test_an_agent_that_knows_no_updates_breaks_nothing() -> None:
    """The rest of the page is there, without buttons; the key says what is wrong."""

    async def go() -> None:
        async with running("server") as session:
            session.machine.unknown = frozenset({UPDATE_VIEW.name, UPDATE_PLAN.name})
            await session.press("0")
            await session.wait_for(lambda: "6.12.48" in session.text)
            presses = session.app.query("#updates Press").results(Press)
            assert [press.name for press in presses if press.display] == []
            await session.press("u")
            await session.wait_for(lambda: "does not know UpdateView" in session.text)

    asyncio.run(go())


@pytest.mark.parametrize("state", UpdateState)
def test_each_state_has_words(state: UpdateState) -> None:
    """All but that of a node that was never updated."""
    view = UpdateView(state, version="0.2.0", slot="b", time=1.0)
    assert bool(view_text(view)) == (state is not UpdateState.IDLE)
