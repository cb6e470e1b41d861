"""What the configuration leaves to a person: the sentence, the one dialog, and that both go away."""

import asyncio
import dataclasses
from dataclasses import fields, is_dataclass

from nodeagent.asked import describe_asked
from nodeagent.intent import Intent
from nodelib.bus import CONFIG_APPLY, CONFIG_SHOW, AskedKey, AskedKind
from nodelib.link import ApplyRequest
from tests.tui.conftest import Picture
from tests.tui.sessions import COLOUR, Session, running
from tui.texts import key_label
from tui.widgets.fields import LABEL, Field

ASKED = describe_asked(["system.hostname", "system.timezone", "ntp.servers", "engine.token"])
MANY = describe_asked(
    ["access.password", "access.ssh", "access.idle_lock", "install.thin", "install.data", "access.ssh_keys"]
)


async def leave(session: Session, asked: tuple[AskedKey, ...]) -> None:
    """Have the configuration leave these to whoever is here."""
    session.machine.set_status(asked=asked)
    await session.wait_for(lambda: "leaves this to you" in session.text)


def said(session: Session) -> str:
    """Give the page's text without its line breaks."""
    return " ".join(line[20:].strip() for line in session.text.splitlines())


def field(session: Session, key: str) -> Field:
    """Find a field of the dialog."""
    return next(one for one in session.app.screen.query(Field) if one.key == key)


async def fill(session: Session, values: dict[str, str]) -> None:
    """Put values into fields, as if they had been typed or chosen."""
    for key, value in values.items():
        field(session, key).value = value
    await session.settle()


async def preview(session: Session) -> None:
    """Press the button for it."""
    next(one for one in session.app.screen.query("Press") if one.name == "yes").focus()
    await session.press("enter")


def applied(session: Session) -> list[object]:
    """List the patches that were applied."""
    calls = [request for name, request in session.machine.calls if name == CONFIG_APPLY.name]
    return [request.patch for request in calls if isinstance(request, ApplyRequest)]


def test_it_says_what_is_left_and_by_which_key(picture: Picture) -> None:
    """One sentence on the status screen, the first of much; the dialog has exactly these fields."""

    async def go() -> None:
        async with running("small") as session:
            await leave(session, ASKED)
            picture("answers-status", session)
            await session.press("a")
            await session.wait_for(lambda: "Host name" in session.text)
            picture("answers-dialog", session)
            assert [one.key for one in session.app.screen.query(Field)] == [one.key for one in ASKED]
            await session.press("escape")
            await leave(session, (*ASKED, *MANY))
            assert "Join token and 6 more" in said(session)
        async with running("small", look=COLOUR, size=(120, 40)) as session:
            await leave(session, ASKED)
            picture("answers-wide-status", session)
            await session.press("a")
            await session.wait_for(lambda: "Host name" in session.text)
            picture("answers-wide-dialog", session)

    asyncio.run(go())


def test_all_answers_are_one_change_and_then_nothing_is_asked(picture: Picture) -> None:
    """Previewed, kept, gone from the screen; the secret is shown nowhere."""

    async def go() -> None:
        async with running("small") as session:
            await leave(session, ASKED)
            await session.press("a")
            await session.wait_for(lambda: "Host name" in session.text)
            await session.type("7")
            await fill(session, {"system.timezone": "Europe/Berlin", "ntp.servers": "192.0.2.1, 192.0.2.2"})
            await fill(session, {"engine.token": "very-secret"})
            await preview(session)
            await session.wait_for(lambda: "What will change" in session.text)
            picture("answers-preview", session)
            await preview(session)
            await session.wait_for(lambda: "Keep this change?" in session.text)
            assert applied(session) == [
                {
                    "system": {"hostname": "node1.example.org7", "timezone": "Europe/Berlin"},
                    "ntp": {"servers": ["192.0.2.1", "192.0.2.2"]},
                    "engine": {"token": "very-secret"},
                }
            ]
            assert session.app.node_watch.seen.status.asked == ASKED
            next(one for one in session.app.screen.query("Press") if one.name == "keep").focus()
            await session.press("enter")
            await session.wait_for(lambda: "leaves this to you" not in session.text)
            assert "very-secret" not in session.text
            await session.press("a")
            await session.wait_for(lambda: "asks for nothing" in session.text)

    asyncio.run(go())


def test_what_is_wrong_is_said_at_its_field(picture: Picture) -> None:
    """By the node's own judgement; nothing is applied, and what was typed stays."""

    async def go() -> None:
        async with running("small") as session:
            await leave(session, ASKED)
            await session.press("a")
            await session.wait_for(lambda: "Host name" in session.text)
            await fill(session, {"system.hostname": ""})
            await preview(session)
            await session.wait_for(lambda: "Nothing was answered" in session.text)
            await fill(session, {"system.hostname": "no!name"})
            await preview(session)
            await session.wait_for(lambda: "is not allowed here" in session.text)
            picture("answers-wrong", session)
            assert applied(session) == []

    asyncio.run(go())


def test_a_proposal_that_is_taken_is_an_answer() -> None:
    """It changes nothing on the node, and is asked no more; what stays empty is."""

    async def go() -> None:
        async with running("small") as session:
            await leave(session, ASKED)
            await session.press("a")
            await session.wait_for(lambda: "node1.example.org" in session.text)
            await preview(session)
            await session.wait_for(lambda: "Nothing changes" in session.text)
            assert applied(session) == [{"system": {"hostname": "node1.example.org"}}]
            await session.press("escape")
            await session.wait_for(lambda: "to you: Time zone" in session.text)

    asyncio.run(go())


def test_every_kind_of_key_is_read_as_the_schema_has_it() -> None:
    """Words, numbers, switches, lists and rules; a password is typed twice and leaves as its hash."""

    async def go() -> None:
        async with running("small") as session:
            await leave(session, MANY)
            await session.press("a")
            await session.wait_for(lambda: "Password again" in session.text)
            await fill(session, {"access.password": "correct horse", "again": "correct house"})
            await preview(session)
            await session.wait_for(lambda: "not the same" in session.text or "differ" in session.text)
            await fill(session, {"again": "correct horse", "access.ssh": "on", "access.idle_lock": "60"})
            await fill(session, {"install.thin": "true", "install.data": "bus:nvme,size:1T- size:4T-"})
            await fill(session, {"access.ssh_keys": "ssh-ed25519 AAAA me"})
            await preview(session)
            await session.wait_for(lambda: "What will change" in session.text)
            assert "correct horse" not in session.text
            await preview(session)
            await session.wait_for(lambda: bool(applied(session)))
            (patch,) = applied(session)
            assert isinstance(patch, dict)
            assert patch["access"].pop("password").startswith("$")
            assert patch == {
                "access": {"ssh": "on", "idle_lock": 60, "ssh_keys": ["ssh-ed25519 AAAA me"]},
                "install": {"thin": True, "data": ["bus:nvme,size:1T-", "size:4T-"]},
            }

    asyncio.run(go())


def test_a_secret_proposal_is_not_shown() -> None:
    """Not even as many signs as it has."""

    async def go() -> None:
        async with running("small") as session:
            view = session.machine.get(CONFIG_SHOW)
            document = {**view.document, "engine": {"token": "(hidden)"}}
            session.machine.put(CONFIG_SHOW, dataclasses.replace(view, document=document))
            await leave(
                session, (AskedKey("engine.token", secret=True), AskedKey("other.new", allowed="this"))
            )
            assert "Join token, other.new. Press a" in said(session)
            await session.press("a")
            await session.wait_for(lambda: "other.new" in session.text)
            assert field(session, "engine.token").value == ""

    asyncio.run(go())


def test_every_key_that_can_be_asked_has_a_label() -> None:
    """Each fits its column, and the agent knows how each is written."""
    keys = [
        f"{table.name}.{one.name}"
        for table in fields(Intent)
        if is_dataclass(table.default) and table.name != "network"
        for one in fields(table.default)
    ]
    assert [key for key in keys if key_label(key) == key or len(key_label(key)) >= LABEL] == []
    described = {one.key: one for one in describe_asked(keys)}
    assert all(one.allowed for one in described.values())
    assert described["access.password"].kind is AskedKind.PASSWORD
    assert described["install.data"].words == ("lvm", "none")
    assert described["access.ssh"].words == ("on", "off", "automatic", "image")
