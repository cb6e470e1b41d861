"""The status screen."""

import asyncio

from nodelib.bus import SourceState, SourceStep
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, running
from tui.dialogs.approval import ApprovalDialog
from tui.qr import approval_texts, fit_qr, make_qr
from tui.screens.status import source_text


def test_a_machine_that_has_not_joined(picture: Picture) -> None:
    """It says what it is, how to reach it, and what could be done next."""

    async def go() -> None:
        async with running("small") as session:
            picture("status-small", session)

    asyncio.run(go())


def test_a_machine_that_forgets_says_so_and_what_comes_first() -> None:
    """From a medium: install, then join; without a disk, join each time; joined and installed nodes too."""

    async def go() -> None:
        async with running("small") as session:

            async def shows(*lines: str, **status: object) -> None:
                session.machine.set_status(**status)
                await session.app.node_watch.refresh()
                await session.settle()
                assert all(line in session.text for line in lines), session.text

            await shows(
                "a restart loses all settings.",
                "5 installs it to a disk, settings included;",
                "press 2 to join an engine.",
            )
            await shows(
                "No disk is there to install it to.", "press 2 to join an engine again", has_room=False
            )
            await shows("a restart loses all settings.", engine="engine.example.org", has_room=False)
            await shows("5 installs it to a disk; then 2 joins", has_room=True)
            await shows("It is installed to vda: restart the machine to use that.", installed_to="vda")
            await shows("press 2 to join an engine", stateless=False, engine="", installed_to="")
            assert "restart" not in session.text

    asyncio.run(go())


def test_a_machine_that_works(picture: Picture) -> None:
    """Engine, meters, warnings with what to do, fingerprints; in colour with room to spare."""

    async def go() -> None:
        async with running("server", look=COLOUR, size=(120, 40)) as session:
            picture("status-server-wide", session)

    asyncio.run(go())


def test_a_machine_that_waits_for_its_approval(picture: Picture) -> None:
    """The code is seen at once, and as a QR code by a key, or at once where there is room."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            picture("status-pending", session)
            await session.press("c")
            assert isinstance(session.app.screen, ApprovalDialog)
            picture("status-qr", session)
            await session.press("escape")
            picture("status-pending", session)
        async with running("thirty-nics", look=COLOUR, size=(120, 40)) as session:
            picture("status-pending-wide", session)

    asyncio.run(go())


UNFETCHED = SourceStep("URL http://192.0.2.10/${mac}.toml", SourceState.TRYING, "not fetched, tries again")
NOWHERE = (
    SourceStep("embedded", SourceState.NONE, "none"),
    SourceStep("medium VIRTNODE", SourceState.NONE, "none"),
)
NOT_GIVEN = SourceStep("DHCP", SourceState.NONE, "not given")


def test_where_the_configuration_was_looked_for(picture: Picture) -> None:
    """While none was found, each place and how it ended; then what is used, and what is still tried."""

    async def go() -> None:
        async with running("small") as session:
            session.machine.set_status(sources=(*NOWHERE, UNFETCHED))
            await session.wait_for(lambda: "Configuration" in session.text)
            picture("status-sources-none", session)
        async with running("small", look=COLOUR, size=(120, 40)) as session:
            session.machine.set_status(sources=(*NOWHERE, NOT_GIVEN))
            await session.wait_for(lambda: "Configuration" in session.text)
            picture("status-sources-none-wide", session)

    asyncio.run(go())
    used = SourceStep("embedded", SourceState.USED, "used")
    kept = SourceStep("DHCP, http://h/a", SourceState.KEPT, "as fetched before, tries again")
    decided = SourceStep("decided here", SourceState.USED, "used")
    assert source_text((used, NOWHERE[1], NOT_GIVEN, decided)) == "embedded, decided here"
    assert source_text((used, UNFETCHED)).startswith("embedded; URL http://192.0.2.10/")
    assert source_text((*NOWHERE, kept)) == "DHCP, http://h/a: as fetched before, tries again"
    assert source_text(()) == ""


def test_the_code_fits_the_smallest_terminal() -> None:
    """Half blocks hold code and fingerprint, plain blanks the code: both within 24 lines of 50 columns."""
    texts = approval_texts("7KX2M-9QWRT", f"SHA256:{'3fa9' * 16}")
    half = fit_qr(texts, 50, 24, ascii=False)
    assert half is not None
    assert half.cell_length > 0
    assert len(half.plain.splitlines()) == (make_qr(texts[0]).side + 1) // 2
    plain = fit_qr(texts, 50, 24, ascii=True)
    assert plain is not None
    assert len(plain.plain.splitlines()) == make_qr(texts[1], quiet=1).side
    assert fit_qr(texts, 20, 10, ascii=True) is None


def test_blanks_draw_the_same_modules() -> None:
    """Light modules are in reverse, dark ones are not, row by row."""
    texts = approval_texts("7KX2M-9QWRT", "")
    drawn = fit_qr((texts[1],), 60, 30, ascii=True)
    assert drawn is not None
    qr = make_qr(texts[1])
    light = {
        place for span in drawn.spans if span.style == "reverse" for place in range(span.start, span.end)
    }
    rows = [
        tuple(row * (qr.side * 2 + 1) + 2 * column not in light for column in range(qr.side))
        for row in range(qr.side)
    ]
    assert tuple(rows) == qr.modules


def test_a_poll_without_news_draws_nothing() -> None:
    """What has not changed is not drawn: a serial line stays quiet."""

    async def go() -> None:
        async with running("server", look=PLAIN) as session:
            drawn: list[object] = []
            session.app.node_watch._on_news = drawn.append
            await session.app.node_watch.refresh()
            await session.settle()
            assert drawn == []

    asyncio.run(go())
