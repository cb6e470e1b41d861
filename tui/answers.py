"""What the configuration leaves to a person: asked in one dialog, previewed and kept as any other change."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nodelib.bus import CONFIG_PLAN, CONFIG_SHOW, AskedKey, AskedKind, PlanRequest
from nodelib.bus_system import CHOICES
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import Nothing
from nodelib.password_hash import check_strength, hash_password
from tui.dialogs.editing import EditDialog
from tui.dialogue import Dialogue
from tui.texts import key_label, say
from tui.widgets.fields import ChoiceField, Field, SecretField, SwitchField, TextField
from tui.widgets.form import look_up, make_patch

AGAIN = "again"
"""The field that a password is typed into once more."""
PICKED = ("system.keymap", "system.timezone")
"""Keys whose values the image lists."""


async def answer(dialogue: Dialogue, asked: Sequence[AskedKey]) -> bool:
    """Ask for exactly these keys; false if the person gave up."""
    values = await _proposals(dialogue, asked)
    choices = await _choices(dialogue, asked)
    patch: dict[str, Any] = {}

    async def check(typed: Mapping[str, str]) -> None:
        patch.clear()
        patch.update(make_patch(await read_answers(asked, typed)))
        if not patch:
            raise VirtnodeError(Code.INVALID, say("answers.nothing"))
        await dialogue.ask(CONFIG_PLAN, PlanRequest(patch))

    while True:
        fields = [field for one in asked for field in fields_of(one, values.get(one.key, ""), choices)]
        title, text = say("answers.title"), say("answers.text")
        dialog = EditDialog(title, fields, check, text=text, save=say("answers.preview"))
        typed = await dialogue.show(dialog)
        if typed is None:
            return False
        if await dialogue.apply(patch, unchanged=say("answers.noted")):
            return True
        values = {one.key: typed[one.key] for one in asked if not one.secret}


def fields_of(one: AskedKey, value: str, choices: Mapping[str, Sequence[str]]) -> list[Field]:
    """Make the field of a key; a password, which nobody sees, has two."""
    label, allowed = key_label(one.key), one.allowed
    words = choices.get(one.key) or (one.words if one.kind is AskedKind.TEXT else ())
    if one.kind is AskedKind.PASSWORD:
        return [SecretField(one.key, label), SecretField(AGAIN, say("answers.again"))]
    if one.kind is AskedKind.SWITCH:
        return [SwitchField(one.key, label, value == "true", allowed=allowed)]
    if words:
        entries = [("", say("answers.unchosen")), *((word, word) for word in words)]
        return [ChoiceField(one.key, label, entries, value)]
    if one.kind is AskedKind.LIST:
        allowed = say("answers.several", allowed=allowed)
    return [(SecretField if one.secret else TextField)(one.key, label, value, allowed=allowed)]


async def read_answers(asked: Sequence[AskedKey], typed: Mapping[str, str]) -> dict[str, Any]:
    """Make the values of what was answered; what was left empty is left out. Raises InvalidInput."""
    answers: dict[str, Any] = {}
    for one in asked:
        text = typed[one.key] if one.kind is AskedKind.PASSWORD else typed[one.key].strip()
        if one.kind is AskedKind.PASSWORD:
            if text or typed[AGAIN]:
                answers[one.key] = await _hash(one.key, text, typed[AGAIN])
        elif text:
            answers[one.key] = _value(one, text)
    return answers


def _value(one: AskedKey, text: str) -> object:
    """Make a key's value of what was typed; what is no number is left to the agent to object to."""
    if one.kind is AskedKind.SWITCH:
        return text == "true"
    if one.kind is AskedKind.NUMBER:
        return int(text) if text.isdecimal() else text
    if one.kind is AskedKind.LINE:
        return [text]
    if one.kind is AskedKind.LIST and text not in one.words:
        # A rule for disks has commas of its own.
        return text.split() if one.words else text.replace(",", " ").split()
    return text


async def _hash(key: str, password: str, again: str) -> str:
    """Hash a password that was typed twice, beside what draws the screen."""
    try:
        check_strength(password)
    except InvalidInput as error:
        raise InvalidInput([f"{key}: {problem}" for problem in error.problems], error.hint) from error
    if password != again:
        raise InvalidInput([f"{AGAIN}: {say('security.password_other')}"])
    return await asyncio.to_thread(hash_password, password)


async def _proposals(dialogue: Dialogue, asked: Sequence[AskedKey]) -> dict[str, str]:
    """Find what the configuration has for these keys all the same; never what is secret."""
    document = (await dialogue.ask(CONFIG_SHOW, Nothing())).document
    return {one.key: _shown(look_up(document, one.key)) for one in asked if not one.secret}


async def _choices(dialogue: Dialogue, asked: Sequence[AskedKey]) -> dict[str, Sequence[str]]:
    """Find what there is to choose from."""
    if not any(one.key in PICKED for one in asked):
        return {}
    found = await dialogue.ask(CHOICES, Nothing())
    return {"system.keymap": found.keymaps, "system.timezone": found.timezones}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return " ".join(str(item) for item in value)
    return "" if value is None else str(value)
