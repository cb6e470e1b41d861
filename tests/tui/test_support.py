"""The support screen."""

import asyncio
import dataclasses

from nodelib.bus_support import (
    SELF_CHECK,
    USB_DRIVES,
    BundlePlace,
    BundleReply,
    BundleRequest,
    SelfCheckReply,
    UsbReply,
    Verdict,
)
from nodelib.errors import Code, VirtnodeError
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, Session, running
from tests.tui.test_dialogs import cut
from tui.dialogs.choice import ChoiceDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.url import UrlDialog
from tui.texts import say

URL = f"http://198.51.100.17:41234/{'3fa9c15e' * 4}/virtnode-support-hv07.tar.xz"
LONGEST = f"http://[2001:db8:85a3:8d3:1319:8a2e:370:7348]:41234/{'3fa9c15e' * 4}/{'a' * 90}.tar.xz"


async def archive(session: Session, *keys: str) -> None:
    """Ask for an archive, with keys that choose where to."""
    await session.press("9", "a")
    await session.wait_for(lambda: isinstance(session.app.screen, ChoiceDialog))
    await session.press(*keys, "enter")


async def told(session: Session) -> None:
    """Wait for a message."""
    await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))


def test_a_check_says_what_is_not_well_first(picture: Picture) -> None:
    """Verdicts are words; what fails has a hint; all checks are a key away."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("9")
            picture("support", session)
            await session.press("c")
            await session.wait_for(lambda: "Verdict" in session.text)
            picture("support-check", session)
            await session.press("d")
            picture("support-details", session)
        async with running("small", look=COLOUR, size=(120, 40)) as session:
            await session.press("9", "c", "d")
            picture("support-wide", session)

    asyncio.run(go())


def test_long_findings_are_not_cut(picture: Picture) -> None:
    """They wrap, and can be scrolled to."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await session.press("9", "c", "d")
            assert cut(session) == []
            picture("support-long", session)

    asyncio.run(go())


def test_a_node_that_is_well_says_so() -> None:
    """The verdict of a node without any check, and of one that is well."""

    async def go() -> None:
        async with running("small") as session:
            session.machine.put(SELF_CHECK, SelfCheckReply(Verdict.OK, ()))
            await session.press("9", "c")
            await session.wait_for(lambda: say("support.verdict", verdict="well") in session.text)

    asyncio.run(go())


def test_a_check_that_cannot_be_made_is_an_error(picture: Picture) -> None:
    """What the node says is shown, with what to do."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("9")
            session.machine.refusal = VirtnodeError(Code.FAILED, "the check broke off", "try again")
            await session.press("c")
            await told(session)
            picture("support-check-error", session)

    asyncio.run(go())


def test_an_archive_goes_to_a_drive(picture: Picture) -> None:
    """The drive is chosen from those that are there; a locked node asks for the password."""

    async def go() -> None:
        async with running("server") as session:
            await archive(session)
            await session.wait_for(lambda: say("support.usb_title") in session.text)
            await session.press("enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
            await session.type("correct horse")
            await session.press("enter")
            await told(session)
            picture("support-usb", session)
            assert ("Bundle", BundleRequest(BundlePlace.USB, "/dev/sdb1")) in session.machine.calls

    asyncio.run(go())


def test_what_is_wrong_with_a_drive_is_said(picture: Picture) -> None:
    """None there, and one without room."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await archive(session)
            await session.wait_for(lambda: say("support.usb_title") in session.text)
            assert cut(session) == []
            await session.press(*["down"] * 9, "enter")
            await told(session)
            picture("support-usb-full", session)
        async with running("small") as session:
            session.machine.put(USB_DRIVES, UsbReply(()))
            await archive(session)
            await told(session)
            picture("support-usb-none", session)

    asyncio.run(go())


def test_an_archive_goes_to_the_engine(picture: Picture) -> None:
    """It says under which name; without an engine that is an error with a way out."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await archive(session, "down")
            await told(session)
            picture("support-engine", session)
            assert cut(session) == []
        async with running("small") as session:
            await archive(session, "down")
            await told(session)
            picture("support-engine-error", session)

    asyncio.run(go())


def test_an_archive_is_a_page_for_ten_minutes() -> None:
    """The address is seen whole."""

    async def go() -> None:
        async with running("small", look=COLOUR, size=(120, 40)) as session:
            await archive(session, "down", "down")
            await session.wait_for(lambda: isinstance(session.app.screen, UrlDialog))
            assert "http://192.0.2.5:41234/" in session.text
            await session.press("escape")
            assert not isinstance(session.app.screen, UrlDialog)

    asyncio.run(go())


def test_the_address_is_counted_down(picture: Picture) -> None:
    """Large, with a code where it fits, and a word once it is over."""

    async def go() -> None:
        reply = BundleReply(URL, 345678, 600.0)
        async with running("small") as session:
            dialog = UrlDialog(reply, PLAIN, clock=session.clock)
            session.app.push_screen(dialog)
            session.clock.now += 61
            await session.wait_for(lambda: dialog.is_mounted)
            dialog.count()
            await session.settle()
            picture("support-url", session)
            session.clock.now += 600
            dialog.count()
            await session.settle()
            assert say("support.url_over") in session.text
        async with running("small", look=COLOUR) as session:
            session.app.push_screen(UrlDialog(reply, COLOUR, clock=session.clock))
            await session.settle()
            picture("support-url-qr", session)
            assert cut(session) == []
            longest = dataclasses.replace(reply, where=LONGEST)
            session.app.push_screen(UrlDialog(longest, COLOUR, clock=session.clock))
            await session.settle()
            assert cut(session) == []

    asyncio.run(go())
