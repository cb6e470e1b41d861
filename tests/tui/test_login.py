"""Leaving the console of a line for the login prompt."""

import asyncio
import re
from pathlib import Path

import pytest

import tui
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, running
from tests.tui.terminals import console
from tests.tui.test_dialogs import cut
from tui.dialogs.choice import ChoiceDialog
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.message import MessageDialog
from tui.login import LOGIN_WANTED
from tui.look import Look
from tui.texts import say

LINE = Look(ascii=True, monochrome=True, slow=True, may_log_in=True)
SCRIPT = Path(tui.__file__).parent / "data/virtnode-console-line"
WAYS = {
    "power": ("f12", "end", "down", "down", "down", "enter"),
    "customise": ("f2", *["down"] * 9, "enter"),
    "palette": ("ctrl+p", *"log in", "enter"),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_prompt_is_reached_by_menus_and_by_name(way: str, picture: Picture) -> None:
    """A question says how to come back; a no stays, a yes ends with the status that brings the prompt."""

    async def go() -> None:
        async with running("server", look=LINE) as session:
            await session.press(*WAYS[way])
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))
            picture("login", session)
            assert cut(session) == []
            await session.press("enter")
            assert session.app.is_running
            await session.press(*WAYS[way])
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))
            await session.press("right", "enter")
            assert session.app.return_code == LOGIN_WANTED

    asyncio.run(go())


def test_where_nobody_could_log_in_the_console_stays(picture: Picture) -> None:
    """Without an administrator's password it says so, and where to set one."""

    async def go() -> None:
        async with running("small", look=LINE) as session:
            await session.press(*WAYS["power"])
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            picture("login-nobody", session)
            await session.press("enter")
            assert session.app.is_running
            assert not isinstance(session.app.screen, ConfirmDialog)

    asyncio.run(go())


@pytest.mark.parametrize("key", ["f2", "f12", "ctrl+p"])
def test_a_session_over_ssh_is_offered_no_prompt(key: str) -> None:
    """There is nothing to come in its place."""

    async def go() -> None:
        async with running("server", look=COLOUR) as session:
            await session.press(key)
            await session.wait_for(lambda: isinstance(session.app.screen, ChoiceDialog))
            if key == "ctrl+p":
                await session.type(say("frame.login"))
            assert not re.search(r"│ Log in ", session.text)

    asyncio.run(go())


def test_the_line_starts_the_prompt_upon_this_very_status() -> None:
    """Program and script agree on the status, and the script tells the program that it is a line's own."""
    text = SCRIPT.read_text()
    assert f"\nLOGIN_WANTED={LOGIN_WANTED}\n" in text
    assert "/usr/bin/virtnode-console --line\n" in text

    with console("server", term="vt102", words=("--line",)) as (terminal, process):
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.send(b"\x14")
        terminal.wait_for(lambda text: "Switch off" in text)
        terminal.send(b"\x1b[B\x1b[B\x1b[B\r")
        terminal.wait_for(lambda text: "Ctrl-D at the prompt" in text)
        terminal.send(b"\t\r")
        assert process.wait(20) == LOGIN_WANTED
