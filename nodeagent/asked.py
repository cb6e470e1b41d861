"""Keys that a configuration leaves to a person: how each is written, for whoever asks."""

import typing
from collections.abc import Iterable
from dataclasses import Field, fields

from nodeagent.intent import Intent
from nodeagent.intent_forms import FORMS, WORDS
from nodelib.bus import AskedKey, AskedKind

KINDS = {str: AskedKind.TEXT, int: AskedKind.NUMBER, bool: AskedKind.SWITCH}
KINDS_BY_FORM = {"password-hash": AskedKind.PASSWORD, "ssh-key": AskedKind.LINE}
"""Where the type does not say it."""


def describe_asked(keys: Iterable[str]) -> tuple[AskedKey, ...]:
    """Say how each of these keys is written; all of them are keys that can be asked (`is_askable`)."""
    return tuple(_describe(key) for key in keys)


def _describe(key: str) -> AskedKey:
    table, _, name = key.partition(".")
    kind = type(getattr(Intent(), table))
    found = next(one for one in fields(kind) if one.name == name)
    form = str(found.metadata["form"])
    enum = FORMS[form].schema.get("enum", ())
    return AskedKey(
        key=key,
        kind=KINDS_BY_FORM.get(form) or _kind_of(typing.get_type_hints(kind)[name]),
        allowed=_allowed(found),
        words=WORDS.get(form, tuple(enum) if isinstance(enum, list) else ()),
        secret=bool(found.metadata["secret"]),
    )


def _kind_of(hint: object) -> AskedKind:
    return KINDS.get(typing.cast(type, hint), AskedKind.LIST)


def _allowed(found: "Field[object]") -> str:
    """Say what a value may be; what has no form has a meaning at least."""
    form = str(found.metadata["form"])
    words = WORDS.get(form, ())
    return ", ".join((*words, FORMS[form].allowed)) if form else str(found.metadata["text"])
