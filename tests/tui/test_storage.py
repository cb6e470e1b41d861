"""The storage screen: disks, multipath, iSCSI, NFS."""

import asyncio

import pytest

from nodelib.bus_storage import STORAGE, IscsiLoginRequest, IscsiLogoutRequest, NfsTestRequest
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tui.dialogs.editing import EditDialog

STORE1 = "iqn.2026-01.org.example:store1"


async def open_storage(session: Session) -> None:
    """Open the screen and wait for what is on it."""
    await session.press("4")
    await session.wait_for(lambda: "On it" in session.text and "iSCSI name   " in session.text)


async def wait_for_dialog(session: Session, text: str) -> None:
    """Wait until something is asked."""
    await session.wait_for(lambda: text in session.text)
    await session.settle()


async def fill_in(session: Session, *texts: str) -> None:
    """Type into the fields of a form one after the other, then press its second button."""
    for text in texts:
        await session.type(text)
        await session.press("enter")
    await session.press("tab", "enter")


@pytest.mark.parametrize("machine", ["small", "server", "thirty-nics"])
def test_disks_are_shown_with_what_is_on_them(machine: str, picture: Picture) -> None:
    """Nobody has to guess which disk is which."""

    async def go() -> None:
        async with running(machine) as session:
            await open_storage(session)
            picture(f"storage-{machine}", session)

    asyncio.run(go())


def test_a_wide_terminal_shows_all_that_is_on_a_disk(picture: Picture) -> None:
    """With 120 columns nothing is shortened."""

    async def go() -> None:
        async with running("thirty-nics", look=COLOUR, size=(120, 40)) as session:
            await open_storage(session)
            picture("storage-wide", session)

    asyncio.run(go())


def test_a_target_is_found_and_logged_in_to(picture: Picture) -> None:
    """Discovery, choice, CHAP; what the target refuses is said above the form, which stays."""

    async def go() -> None:
        async with running("small") as session:
            await open_storage(session)
            await session.press("f")
            await wait_for_dialog(session, "HOST or HOST:PORT")
            await fill_in(session, "!")
            await wait_for_dialog(session, "is neither HOST")
            picture("storage-portal-error", session)
            await session.press("backspace")
            await fill_in(session, "192.0.2.20")
            await wait_for_dialog(session, "Targets at")
            await session.press("enter")
            await wait_for_dialog(session, "CHAP password")
            await fill_in(session, "wrong", "secret")
            await wait_for_dialog(session, "refuses user")
            picture("storage-login-refused", session)
            assert "secret" not in session.text
            await session.press("shift+tab", "shift+tab", "shift+tab", *["backspace"] * 5)
            await fill_in(session, "node1", "")
            await wait_for_dialog(session, "Logged in to")
            request = IscsiLoginRequest(STORE1, "192.0.2.20:3260", "node1", "secret")
            assert ("IscsiLogin", request) in session.machine.calls
            await session.press("enter")
            await session.wait_for(lambda: "iqn.2026-...e:store1" in session.text)

    asyncio.run(go())


def test_an_array_without_targets_says_what_to_do(picture: Picture) -> None:
    """An empty answer is no dead end."""

    async def go() -> None:
        async with running("small") as session:
            await open_storage(session)
            await session.press("f")
            await wait_for_dialog(session, "HOST or HOST:PORT")
            await fill_in(session, "203.0.113.9")
            await wait_for_dialog(session, "has no target")
            picture("storage-no-targets", session)

    asyncio.run(go())


def test_logging_out_says_which_disks_go(picture: Picture) -> None:
    """The session is named with its disks before it ends."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await open_storage(session)
            await session.press("o")
            await wait_for_dialog(session, "Log out of a target")
            await session.press("enter")
            await wait_for_dialog(session, "Its disks go")
            picture("storage-logout", session)
            await session.press("right", "enter")
            await session.settle()
            assert ("IscsiLogout", IscsiLogoutRequest(STORE1, "198.51.100.20:3260")) in session.machine.calls
            assert session.machine.get(STORAGE).sessions == ()

    asyncio.run(go())


def test_an_export_is_tested_until_it_is_right(picture: Picture) -> None:
    """What is missing is said at its field, and the form stays for another try."""

    async def go() -> None:
        async with running("small") as session:
            await open_storage(session)
            await session.press("t")
            await wait_for_dialog(session, "mounted read-only")
            await fill_in(session, "", "export", "")
            await wait_for_dialog(session, "Begin it with /")
            picture("storage-nfs-errors", session)
            await fill_in(session, "192.0.2.30")
            assert isinstance(session.app.screen, EditDialog)

    asyncio.run(go())


def test_an_export_that_works_is_told() -> None:
    """The request has what was typed, and the result is shown."""

    async def go() -> None:
        async with running("small") as session:
            await open_storage(session)
            await session.press("t")
            await wait_for_dialog(session, "mounted read-only")
            await fill_in(session, "192.0.2.30", "/export", "vers=4.2")
            await wait_for_dialog(session, "can be mounted and read")
            request = NfsTestRequest("192.0.2.30", "/export", "vers=4.2")
            assert ("NfsTest", request) in session.machine.calls

    asyncio.run(go())


def test_the_iscsi_name_is_a_change_like_others(picture: Picture) -> None:
    """It is previewed, applied, and waits to be kept."""

    async def go() -> None:
        async with running("small") as session:
            await open_storage(session)
            await session.press("i")
            await wait_for_dialog(session, "Arrays let this node in")
            await fill_in(session, "b")
            await wait_for_dialog(session, "What will change")
            picture("storage-initiator-preview", session)
            await session.press("right", "enter")
            await wait_for_dialog(session, "Keep this change?")
            await session.press("right", "right", "enter")
            await session.settle()
            assert any(name == "ConfigConfirm" for name, _ in session.machine.calls)

    asyncio.run(go())
