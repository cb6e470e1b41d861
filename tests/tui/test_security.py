"""The security screen."""

import asyncio
import dataclasses

import pytest

from nodelib.bus import CONFIG_SHOW
from nodelib.bus_access import ACCESS, KeysRequest, PasswordRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tests.tui.test_dialogs import cut
from tui.dialogs.confirm import ConfirmDialog
from tui.dialogs.entry import EntryDialog
from tui.dialogs.message import MessageDialog
from tui.dialogs.new_password import NewPasswordDialog
from tui.dialogs.password import PasswordDialog
from tui.dialogs.pending import PendingDialog
from tui.dialogs.pick_keys import PickKeysDialog
from tui.dialogs.preview import PreviewDialog
from tui.recorded.access import fetch_keys
from tui.screens.security import judge_key, read_setting
from tui.ssh_key import parse_key
from tui.texts import say
from tui.widgets.fields import TextField
from tui.widgets.key_list import KeyList

KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'K' * 43} carol@example.org"


async def sees(session: Session, key: str) -> None:
    """Wait for a text."""
    await session.wait_for(lambda: say(key)[:40] in session.text)


async def unlock(session: Session) -> None:
    """Give the password where it is asked for."""
    await session.wait_for(lambda: isinstance(session.app.screen, PasswordDialog))
    await session.type("correct horse")
    await session.press("enter")


async def accept(session: Session) -> None:
    """Say yes to the preview, and keep the change."""
    await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
    await session.press("right", "enter")
    await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
    await session.press("right", "right", "enter")
    await session.wait_for(lambda: not isinstance(session.app.screen, PendingDialog))


def keys_of(session: Session) -> list[str]:
    """List the keys that the node's configuration has."""
    return list(session.machine.get(CONFIG_SHOW).document.get("access", {}).get("ssh_keys", ()))


def test_security_is_shown(picture: Picture) -> None:
    """Password, SSH and what it means, lock, keys with fingerprints, the node's own keys."""

    async def go() -> None:
        for machine in ("small", "server", "thirty-nics"):
            async with running(machine, first="security") as session:
                await session.press("7")
                picture(f"security-{machine}", session)
        async with running("server", first="security", look=COLOUR, size=(120, 40)) as session:
            await session.press("7")
            picture("security-wide", session)

    asyncio.run(go())


def test_a_password_is_set(picture: Picture) -> None:
    """What is allowed is said before; too short a one and two that differ are said at their fields."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "p")
            await session.wait_for(lambda: isinstance(session.app.screen, NewPasswordDialog))
            picture("security-password", session)
            await session.type("short")
            await session.press("enter", "enter")
            picture("security-password-short", session)
            await session.press("shift+tab")
            await session.type("but longer")
            await session.press("enter")
            await session.type("another")
            await session.press("enter")
            picture("security-password-other", session)
            assert "but longer" not in session.text
            await session.press(*["backspace"] * 7)
            await session.type("shortbut longer")
            await session.press("enter")
            await sees(session, "security.password_done")
            assert ("SetPassword", PasswordRequest("shortbut longer")) in session.machine.calls
            await session.press("enter")
            await session.wait_for(lambda: say("security.password_set")[:30] in session.text)

    asyncio.run(go())


def test_a_password_that_the_node_refuses_is_asked_for_again(picture: Picture) -> None:
    """What the node has against it stands at the field."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "p")
            await session.wait_for(lambda: isinstance(session.app.screen, NewPasswordDialog))
            await session.type("password")
            await session.press("enter")
            await session.type("password")
            session.machine.refusal = InvalidInput(["the password has a control character in it"])
            await session.press("enter")
            await session.wait_for(lambda: "control character" in session.text)
            picture("security-password-refused", session)
            session.machine.refusal = None
            await session.press("escape")
            assert not session.machine.get(ACCESS).password_set

    asyncio.run(go())


def test_a_password_is_removed_and_the_console_locked(picture: Picture) -> None:
    """Both say what follows; the lock is seen in the title."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("7", "tab", "enter")
            await sees(session, "security.remove_question")
            picture("security-remove", session)
            await session.press("right", "enter")
            await unlock(session)
            await sees(session, "security.remove_done")
            await session.press("enter")
            await session.press("l")
            await sees(session, "security.lock_none")
        async with running("server") as session:
            await session.press("7", "l")
            await sees(session, "security.locked")
            assert not session.machine.get(ACCESS).unlocked

    asyncio.run(go())


def test_ssh_is_changed(picture: Picture) -> None:
    """Each choice says what it means; the change is shown, applied and confirmed."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "tab", "enter", "up", "enter")
            await sees(session, "security.ssh_means.automatic")
            picture("security-ssh", session)
            await session.press("tab", "tab", "enter")
            await accept(session)
            document = session.machine.get(CONFIG_SHOW).document
            assert document["access"] == {"ssh": "automatic"}

    asyncio.run(go())


def test_a_wrong_time_is_said_at_its_field(picture: Picture) -> None:
    """What is no number of seconds is refused before the node is asked."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "tab", "tab")
            await session.type("x")
            await session.press("tab", "enter")
            await session.wait_for(lambda: "! This is no" in session.text)
            picture("security-lock-wrong", session)
            field = next(field for field in session.app.query(TextField) if field.key == "access.idle_lock")
            field.value = "90"
            await session.press("enter")
            await accept(session)
            assert session.machine.get(CONFIG_SHOW).document["access"] == {"idle_lock": 90}

    asyncio.run(go())


def test_a_key_is_pasted_compared_and_added(picture: Picture) -> None:
    """Type, comment and fingerprint are seen before the key is let in."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "a")
            await session.wait_for(lambda: isinstance(session.app.screen, EntryDialog))
            await session.type("ssh-rsa nonsense")
            await session.press("enter")
            picture("security-key-wrong", session)
            await session.press(*["backspace"] * 16)
            await session.paste(KEY)
            await session.press("enter")
            await session.wait_for(lambda: isinstance(session.app.screen, ConfirmDialog))
            picture("security-key", session)
            await session.press("right", "enter")
            await accept(session)
            assert keys_of(session) == [KEY]

    asyncio.run(go())


def test_keys_are_fetched_and_marked(picture: Picture) -> None:
    """Only what was marked is added; an address that is not https is said at its field."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "u")
            await session.wait_for(lambda: isinstance(session.app.screen, EntryDialog))
            await session.type("http://example.org/keys")
            await session.press("enter")
            picture("security-fetch-wrong", session)
            await session.press("home", "right", "right", "right", "right", "s", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PickKeysDialog))
            await session.press("tab", "tab", "enter")
            picture("security-pick-none", session)
            await session.press("tab", "down", "space")
            picture("security-pick", session)
            assert cut(session) == []
            await session.press("shift+tab", "enter")
            await accept(session)
            assert [key.split()[-1] for key in keys_of(session)] == ["bob@example.org"]

    asyncio.run(go())


def test_an_address_without_keys_is_an_error(picture: Picture) -> None:
    """What could not be fetched is said; what is there already is not offered again."""

    async def go() -> None:
        async with running("small") as session:
            await session.press("7", "u")
            await session.wait_for(lambda: isinstance(session.app.screen, EntryDialog))
            await session.type("https://example.org/none")
            text = "https://example.org/none cannot be fetched: not found"
            session.machine.refusal = VirtnodeError(Code.FAILED, text, "look whether it is right")
            await session.press("enter")
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            picture("security-fetch-error", session)
            session.machine.refusal = None
            await session.press("enter")
            found = session.machine.get(ACCESS)
            keys = fetch_keys(session.machine, KeysRequest("https://example.org/")).keys
            session.machine.put(ACCESS, dataclasses.replace(found, ssh_keys=keys))
            await session.press("1", "7", "u")
            await session.type("https://example.org/")
            await session.press("enter")
            await sees(session, "security.fetch_nothing_new")

    asyncio.run(go())


def test_a_key_is_removed(picture: Picture) -> None:
    """Enter on it asks; that it is the last one is said."""

    async def go() -> None:
        async with running("server") as session:
            await session.press("7")
            await session.wait_for(lambda: "alice@example.org" in session.text)
            session.app.query_one(KeyList).focus()
            await session.press("enter")
            await sees(session, "security.key_remove_question")
            picture("security-key-remove", session)
            await session.press("right", "enter")
            await session.wait_for(lambda: isinstance(session.app.screen, PreviewDialog))
            await session.press("right", "enter")
            await unlock(session)
            await session.wait_for(lambda: isinstance(session.app.screen, PendingDialog))
            assert keys_of(session) == []

    asyncio.run(go())


@pytest.mark.parametrize("key", ["a", "u", "p"])
def test_what_the_engine_decides_cannot_be_changed(key: str, picture: Picture) -> None:
    """Keys and password of the engine are read-only, and it is said where to change them."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await session.press("7", key)
            await session.wait_for(lambda: isinstance(session.app.screen, MessageDialog))
            picture("security-managed", session)

    asyncio.run(go())


def test_longest_keys_are_not_cut() -> None:
    """A long comment wraps in the questions about its key."""

    async def go() -> None:
        async with running("thirty-nics") as session:
            await session.press("7")
            line = session.app.query_one(KeyList).lines[0]
            session.app.push_screen(PickKeysDialog(session.app.query_one(KeyList).lines))
            await session.settle()
            assert cut(session) == []
            session.app.push_screen(ConfirmDialog("?", "\n".join(line.split())))
            await session.settle()
            assert cut(session) == []

    asyncio.run(go())


def test_no_question_is_cut() -> None:
    """With the longest names and errors every part is within the screen or can be scrolled to."""

    async def go() -> None:
        async with running() as session:
            session.app.push_screen(NewPasswordDialog("a" * 32, f"the password has {'x' * 63} in it"))
            await session.settle()
            assert cut(session) == []
            session.app.push_screen(
                EntryDialog("x" * 63, "x" * 18, text="x" * 200, allowed="x" * 99, value="x" * 300)
            )
            await session.settle()
            assert cut(session) == []

    asyncio.run(go())


def test_a_key_is_judged() -> None:
    """What is no key, what is private, and what is there already under another comment."""
    assert judge_key(KEY, ()) == ""
    assert judge_key("-----BEGIN OPENSSH PRIVATE KEY-----", ()) == say("security.key_private")
    assert judge_key(KEY.replace("carol", "other"), (KEY,)) == say("security.key_there")
    for line in ("", "ssh-ed25519", "ssh-ed25519 !!!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA=="):
        assert judge_key(line, ()) == say("security.key_wrong")


def test_a_fingerprint_is_that_of_ssh_keygen() -> None:
    """The known fingerprint of a known key."""
    key = parse_key(KEY)
    assert key is not None
    assert (key.kind, key.comment) == ("ssh-ed25519", "carol@example.org")
    assert key.fingerprint == "SHA256:yAVrWwEmN5Z92SZa8kjJ2fjIA0k1RPopE/0KZd4BDOI"


def test_settings_are_read() -> None:
    """The lock is a number, SSH a word."""
    assert read_setting("access.idle_lock", " 60 ") == 60
    assert read_setting("access.ssh", "on") == "on"
