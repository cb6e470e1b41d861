"""The install screen: disks, options, plan, confirmation, progress, and how it ends."""

import asyncio
from typing import Any

import pytest
from textual.screen import ModalScreen

from nodelib.bus import STATUS
from nodelib.bus_install import (
    INSTALL_DISKS,
    INSTALL_PLAN,
    INSTALL_PROGRESS,
    INSTALL_RUN,
    InstallDisk,
    InstallPlan,
    InstallProgress,
    InstallRequest,
    InstallRun,
    InstallState,
    InstallView,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import Answer, make_plan, read_wanted
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, Session, running
from tests.tui.test_dialogs import cut
from tui.dialogs.choice import ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.dialog import Dialog
from tui.dialogs.editing import EditDialog
from tui.dialogs.install_plan import InstallPlanDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.typed import TypedDialog
from tui.install_deeds import option_fields, read_options
from tui.install_text import guarded_names, progress_details
from tui.screens.install import InstallPage
from tui.texts import say
from tui.widgets.table import Table

SIZES = {(80, 24): PLAIN, (120, 40): COLOUR}
OWN_GROUP = "virtnode-3f9a21c7"
DOMAIN = "6f1d2c3b-0c4e-4a51-9d7b-1f2e3d4c5b6a"


async def open_install(session: Session, disk: str = "") -> None:
    """Open the screen and mark a disk."""
    await session.press("5")
    await session.wait_for(lambda: say("install.column_target") in session.text)
    await session.wait_for(lambda: bool(session.app.query_one(Table).row_count))
    if disk:
        table = session.app.query_one(Table)
        table.focus()
        table.move_cursor(row=[str(key.value) for key in table.rows].index(disk))
        await session.settle()


async def see(session: Session, kind: type[ModalScreen[Any]]) -> None:
    """Wait for a dialog."""
    await session.wait_for(lambda: isinstance(session.app.screen, kind))


async def unlock(session: Session) -> None:
    """Give the password that the change asks for."""
    await see(session, PasswordDialog)
    await session.type("correct horse")
    await session.press("enter")


async def begin(session: Session, disk: str, serial: str) -> None:
    """Install to a disk that has nothing to decide about."""
    await open_install(session, disk)
    await session.press("enter")
    await see(session, InstallPlanDialog)
    await session.press("right", "enter")
    await see(session, TypedDialog)
    await session.type(serial)
    await session.press("enter")
    await unlock(session)
    await session.wait_for(lambda: say("install.installing") in session.text)


async def go_on(session: Session, seconds: float) -> None:
    """Let time go by, and the page look."""
    session.clock.now += seconds
    session.app.query_one(InstallPage).poll()
    await session.settle()


@pytest.mark.parametrize("machine", ["small", "server", "installer", "thirty-nics"])
def test_disks_are_shown_with_what_stands_against_them(machine: str, picture: Picture) -> None:
    """Nobody has to guess which disk is which, nor why one is refused."""

    async def go() -> None:
        async with running(machine) as session:
            await open_install(session)
            picture(f"install-{machine}", session)
            assert cut(session) == []

    asyncio.run(go())


def test_a_wide_terminal_shows_more(picture: Picture) -> None:
    """With 120 columns there is room for what is on a disk."""

    async def go() -> None:
        async with running("installer", look=COLOUR, size=(120, 40)) as session:
            await open_install(session, "sdb")
            picture("install-wide", session)

    asyncio.run(go())


def test_a_refused_disk_says_why(picture: Picture) -> None:
    """The medium itself is marked as such, and its plan offers no way on."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "sdd")
            picture("install-refused", session)
            await session.press("i")
            await see(session, InstallPlanDialog)
            picture("install-refused-plan", session)
            await session.press("right", "enter")
            await session.wait_for(lambda: not isinstance(session.app.screen, InstallPlanDialog))
            assert not [name for name, _ in session.machine.calls if name == INSTALL_RUN.name]

    asyncio.run(go())


@pytest.mark.parametrize("size", SIZES)
def test_an_empty_disk_is_installed_to(size: tuple[int, int], picture: Picture) -> None:
    """Plan, typed confirmation, password, progress, and the offer to restart."""
    name = "install" if size == (80, 24) else "install-wide"

    async def go() -> None:
        async with running("installer", look=SIZES[size], size=size) as session:
            await open_install(session, "nvme0n1")
            await session.press("enter")
            await see(session, InstallPlanDialog)
            picture(f"{name}-plan", session)
            await session.press("right", "enter")
            await see(session, TypedDialog)
            await session.type("9875")
            await session.press("enter")
            picture(f"{name}-confirm-wrong", session)
            await session.press("backspace")
            assert say("dialog.typed_wrong", word="9876") not in session.text
            await session.press("6", "enter")
            await unlock(session)
            await session.wait_for(lambda: say("install.installing") in session.text)
            await go_on(session, 27)
            picture(f"{name}-running", session)
            assert cut(session) == []
            await session.press("f12", "down", "enter")
            assert "An installation to nvme0n1 is under way" in session.text
            await session.press("escape")
            await go_on(session, 40)
            await see(session, ConfirmDialog)
            picture(f"{name}-done", session)
            await session.press("enter")
            await session.wait_for(lambda: not isinstance(session.app.screen, ConfirmDialog))
            picture(f"{name}-after", session)
            await session.press("r")
            await see(session, ConfirmDialog)
            await session.press("right", "enter")
            await see(session, MessageDialog)
            assert session.machine.notes["ended"] == "reboot"

    asyncio.run(go())


def test_a_second_disk_mirrors_the_first(picture: Picture) -> None:
    """It is chosen of those that can be installed to; the plan shows both, and both are confirmed."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "nvme0n1")
            await session.press("m")
            await see(session, ChoiceDialog)
            picture("install-mirror-choice", session)
            await session.press("down", "down")
            await session.press("enter")
            await see(session, InstallPlanDialog)
            picture("install-mirror-plan", session)
            await session.press("right", "enter")
            await see(session, TypedDialog)
            picture("install-mirror-confirm", session)
            await session.type("9876 0007")
            await session.press("enter")
            await unlock(session)
            await session.wait_for(lambda: say("install.installing") in session.text)
            (request,) = {run.request for name, run in session.machine.calls if isinstance(run, InstallRun)}
            assert request == InstallRequest("/dev/nvme0n1", mirror="/dev/sdc")

    asyncio.run(go())


def test_what_is_guarded_is_destroyed_by_its_name_alone(picture: Picture) -> None:
    """Without the switch the plan is impossible; with it the agent gets the name."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "sdb")
            await session.press("enter")
            await see(session, EditDialog)
            picture("install-options", session)
            await session.press("tab", "tab", "enter")
            await see(session, InstallPlanDialog)
            picture("install-guarded-plan", session)
            await session.press("right", "enter")
            await see(session, EditDialog)
            await session.press("space", "tab", "tab", "enter")
            await see(session, InstallPlanDialog)
            assert (INSTALL_PLAN.name, InstallRequest("/dev/sdb", False, (DOMAIN,))) in session.machine.calls
            picture("install-named-plan", session)

    asyncio.run(go())


def test_state_and_data_of_a_node_are_kept(picture: Picture) -> None:
    """The switch reaches plan and run, and the question says what stays."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "sda")
            await session.press("i")
            await see(session, EditDialog)
            picture("install-keep-options", session)
            await session.press("space", "tab", "tab", "tab", "enter")
            await see(session, InstallPlanDialog)
            picture("install-keep-plan", session)
            await session.press("right", "right", "enter")
            await see(session, TypedDialog)
            picture("install-keep-confirm", session)
            await session.type("CD34")
            await session.press("enter")
            await unlock(session)
            await session.wait_for(lambda: say("install.installing") in session.text)
            (request,) = {run.request for name, run in session.machine.calls if isinstance(run, InstallRun)}
            assert request == InstallRequest("/dev/sda", keep=True)

    asyncio.run(go())


def test_a_rule_chooses_the_disk(picture: Picture) -> None:
    """The rule that holds is there already; one that means none or makes no sense is told at once."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session)
            await session.press("t")
            await see(session, EditDialog)
            picture("install-rule", session)
            await session.press("end", *["backspace"] * len("bus:nvme,smallest"))
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: "such as smallest" in session.text)
            await session.paste("bus:sas")
            await session.press("tab", "tab", "enter")
            await session.wait_for(lambda: "means none" in session.text)
            picture("install-rule-error", session)
            await session.press("escape", "t")
            await see(session, EditDialog)
            await session.press("tab", "tab", "enter")
            await see(session, InstallPlanDialog)
            assert "nvme0n1" in session.text

    asyncio.run(go())


def test_a_failure_has_its_reason_and_what_to_do(picture: Picture) -> None:
    """In a dialog for who began it, and on the screen for everybody after."""

    async def go() -> None:
        async with running("installer") as session:
            await begin(session, "sdc", "0007")
            await go_on(session, 30)
            await see(session, MessageDialog)
            picture("install-failed", session)
            await session.press("enter")
            await session.wait_for(lambda: not isinstance(session.app.screen, MessageDialog))
            picture("install-failed-after", session)

    asyncio.run(go())


def test_what_another_console_began_is_seen_and_not_begun_again(picture: Picture) -> None:
    """The progress is the node's; a second installation is not even planned; its end opens no dialog."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "nvme0n1")
            running_now = InstallProgress(InstallState.RUNNING, "sda", 12, "copy this system to slot A")
            session.machine.put(INSTALL_PROGRESS, running_now)
            await go_on(session, 0)
            await session.wait_for(lambda: "12 %" in session.text)
            assert "Install to it" not in session.text
            await session.press("i", "t")
            assert not isinstance(session.app.screen, Dialog)
            await session.press("enter")
            await see(session, MessageDialog)
            picture("install-busy", session)
            await session.press("enter", "1", "5")
            await session.wait_for(lambda: "12 %" in session.text)
            done = InstallProgress(
                InstallState.SUCCEEDED, "sda", 100, "installed", hint="restart the machine"
            )
            session.machine.put(INSTALL_PROGRESS, done)
            await go_on(session, 0)
            await session.wait_for(lambda: say("install.succeeded") in session.text)
            assert not isinstance(session.app.screen, ModalScreen)

    asyncio.run(go())


def test_coming_back_shows_how_it_ended() -> None:
    """Who began it and looked elsewhere is told on coming back."""

    async def go() -> None:
        async with running("installer") as session:
            await begin(session, "nvme0n1", "9876")
            await session.press("1")
            session.clock.now += 100
            session.app.query_one(InstallPage).poll()
            await session.settle()
            assert not isinstance(session.app.screen, ConfirmDialog)
            await session.press("5")
            await see(session, ConfirmDialog)

    asyncio.run(go())


def test_a_disk_that_changed_meanwhile_is_not_written(picture: Picture) -> None:
    """The agent's refusal is shown, and nothing runs."""

    async def go() -> None:
        async with running("installer") as session:
            await open_install(session, "nvme0n1")
            await session.press("enter")
            await see(session, InstallPlanDialog)
            view = session.machine.get(INSTALL_DISKS)
            session.machine.put(INSTALL_DISKS, InstallView(with_content(view.disks, "nvme0n1")))
            await session.press("right", "enter")
            await see(session, TypedDialog)
            await session.type("9876")
            await session.press("enter")
            await unlock(session)
            await see(session, MessageDialog)
            picture("install-changed", session)
            assert session.machine.get(INSTALL_PROGRESS).state is InstallState.IDLE

    asyncio.run(go())


def test_an_agent_that_does_not_answer_opens_no_dialog() -> None:
    """The poll goes on quietly; the frame's banner is enough."""

    async def go() -> None:
        async with running("installer") as session:
            await begin(session, "nvme0n1", "9876")
            session.machine.refusal = VirtnodeError(Code.UNAVAILABLE, "the agent does not answer")
            await go_on(session, 5)
            assert not isinstance(session.app.screen, ModalScreen)
            session.machine.refusal = None
            await go_on(session, 5)
            await session.wait_for(lambda: "16 %" in session.text)
            assert session.machine.get(STATUS).hostname == "install.example.org"

    asyncio.run(go())


def test_no_dialog_is_cut() -> None:
    """With the longest names every part is within the screen or can be scrolled to."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            for disk in session.machine.get(INSTALL_DISKS).disks[:3]:
                plan = plan_of(disk)
                session.app.push_screen(InstallPlanDialog(plan, options=True))
                await session.settle()
                assert cut(session) == []
                fields = option_fields(plan, InstallRequest())
                save = say("install.show_plan")
                session.app.push_screen(EditDialog("x" * 63, fields, text="x", save=save))
                await session.settle()
                assert cut(session) == []

    asyncio.run(go())


def test_what_is_switched_on_becomes_a_request() -> None:
    """Names in their order; the node's own installation needs no name."""
    disk = InstallDisk("sda", treasures=("virtnode", "vg1", "raid"))
    assert guarded_names(disk) == ("vg1", "raid")
    plan = InstallPlan("1", disk, data=(InstallDisk("sdb", treasures=("raid", "zfs")),))
    request = InstallRequest("first", mirror="/dev/sdc")
    assert read_options(plan, request, {"0": "false", "1": "true", "2": "true"}) == InstallRequest(
        "first", False, ("raid", "zfs"), mirror="/dev/sdc"
    )
    assert read_options(plan, InstallRequest("first"), {"keep": "true"}) == InstallRequest("first", keep=True)


def test_an_idle_node_with_news_tells_them() -> None:
    """An unattended installation that had nothing to do says so."""
    found = progress_details(InstallProgress(step="sda has this system already", hint="start from it"))
    assert [text for _, text in found] == ["Sda has this system already.", "Start from it."]
    assert [text for _, text in progress_details(InstallProgress()) if text] == []


def plan_of(disk: InstallDisk) -> InstallPlan:
    """Plan for a disk, as nobody asked anything else."""
    return make_plan(read_wanted(InstallRequest(), Answer(), "", 0, ""), disk)


def with_content(disks: tuple[InstallDisk, ...], name: str) -> tuple[InstallDisk, ...]:
    """Let somebody have written to a disk."""
    return tuple(
        InstallDisk(name, serial=disk.serial, confirmation=disk.confirmation, holds=(f"{name}: ext4",))
        if disk.name == name
        else disk
        for disk in disks
    )
