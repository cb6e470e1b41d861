"""The join screen."""

import asyncio

from tests.tui.conftest import Picture
from tests.tui.sessions import Session, running
from tui.dialogs.approval import ApprovalDialog

PIN = f"sha256:{'5a' * 32}"


async def fill(session: Session, address: str, pin: str) -> None:
    """Type an address and a pin into an empty form, and press Enter."""
    await session.press("2")
    await session.paste(address)
    await session.press("tab")
    await session.paste(pin)
    await session.press("enter")


def test_joining_climbs_the_ladder_to_the_approval_and_beyond(picture: Picture) -> None:
    """Each step is seen, then the wait for approval with what to do, then all of it holds."""

    async def go() -> None:
        async with running("small") as session:
            await fill(session, "engine.example.org", PIN)
            await session.wait_for(lambda: "[..] link" in session.text)
            picture("join-started", session)
            session.clock.now += 10
            await session.app.node_watch.refresh()
            await session.settle()
            picture("join-pending", session)
            session.clock.now += 20
            await session.app.node_watch.refresh()
            await session.settle()
            assert "[ok] heartbeat" in session.text
            assert session.machine.calls.count(("Join", session.machine.calls[-1][1])) <= 1

    asyncio.run(go())


def test_what_is_wrong_is_said_at_its_field(picture: Picture) -> None:
    """The agent judges; each objection stands below the value that it is about, and goes later."""

    async def go() -> None:
        async with running("small") as session:
            await fill(session, "not a host", "sha256:12")
            await session.wait_for(lambda: "! " in session.text)
            picture("join-errors", session)

    asyncio.run(go())


def test_the_code_is_shown_large_from_here_too() -> None:
    """After joining no field is typed in: the key works at once, and the hint names it."""

    async def go() -> None:
        async with running("small") as session:
            await fill(session, "engine.example.org", PIN)
            session.clock.now += 10
            await session.app.node_watch.refresh()
            await session.settle()
            assert "c: key and QR" in session.text
            assert "[..] heartbeat" in session.text
            await session.press("c")
            assert isinstance(session.app.screen, ApprovalDialog)

    asyncio.run(go())


def test_enter_goes_on_until_there_is_enough_to_join() -> None:
    """As in every form: the next field; it joins from the pin once both are there, and from the token."""

    async def go() -> None:
        async with running("small", first="join") as session:

            def joins() -> int:
                return [name for name, _ in session.machine.calls].count("Join")

            await session.press("2")
            await session.paste("engine.example.org")
            await session.press("enter")
            assert joins() == 0
            await session.press("enter")
            assert joins() == 0
            await session.paste("secret-token")
            await session.press("shift+tab")
            await session.paste(PIN)
            await session.press("enter")
            assert joins() == 1
            await session.press("shift+tab", "enter")
            assert joins() == 2

    asyncio.run(go())


def test_leaving_is_confirmed(picture: Picture) -> None:
    """Enter alone leaves nothing; yes leaves, and the form is empty again."""

    async def go() -> None:
        async with running("thirty-nics", first="join") as session:
            await session.press("2", "tab", "tab", "tab", "tab", "enter")
            picture("join-leave", session)
            await session.press("enter")
            assert ("Leave", session.machine.calls[0][1]) not in session.machine.calls
            await session.press("enter", "right", "enter")
            await session.wait_for(lambda: "No engine is set" in session.text)

    asyncio.run(go())


def test_the_token_is_never_shown() -> None:
    """It is typed hidden, sent, and forgotten."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("2")
            await session.paste("engine.example.org")
            await session.press("enter")
            await session.paste(PIN)
            await session.press("tab")
            await session.type("secret-token")
            assert "secret-token" not in session.text
            await session.press("enter")
            await session.settle()
            sent = [request for name, request in session.machine.calls if name == "Join"]
            assert getattr(sent[-1], "token", "") == "secret-token"

    asyncio.run(go())
