"""The status screen."""

import asyncio

from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, PLAIN, running
from tui.dialogs.approval import ApprovalDialog
from tui.qr import approval_texts, fit_qr, make_qr


def test_a_machine_that_has_not_joined(picture: Picture) -> None:
    """It says what it is, how to reach it, and what could be done next."""

    async def go() -> None:
        async with running("small") as session:
            picture("status-small", session)

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
