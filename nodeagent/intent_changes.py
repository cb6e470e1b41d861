"""Changes of the intent that change no file of the node: the engine to join, and how to install."""

from collections.abc import Iterator
from dataclasses import fields
from typing import TypeVar

from nodeagent.changes import Change
from nodeagent.intent import EngineIntent, InstallIntent, Intent

T = TypeVar("T", EngineIntent, InstallIntent)
HIDDEN = "(hidden)"
SECRETS = {
    name: tuple(field.name for field in fields(table) if field.metadata["secret"])
    for name, table in (("engine", EngineIntent), ("install", InstallIntent))
}
"""The keys of each table that are never shown."""


def fileless_changes(before: Intent, after: Intent) -> tuple[Change, ...]:
    """Say what of the engine and the installation changes, one line a key, without the secrets."""
    return (
        *_compare("engine", before.engine, after.engine),
        *_compare("install", before.install, after.install),
    )


def _compare(table: str, before: T, after: T) -> Iterator[Change]:
    for field in fields(before):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            shown = [_shown(value, secret=field.metadata["secret"]) for value in (old, new)]
            text = f"{table}.{field.name}: {shown[1] or 'none'}"
            yield Change(kind=table, text=text, before=shown[0], after=shown[1])


def _shown(value: object, *, secret: bool) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return HIDDEN if secret and text else text


def hide_secrets(document: dict[str, object]) -> dict[str, object]:
    """Copy the tables of an intent with what is secret replaced: for people, logs and support files."""
    hidden: dict[str, object] = {}
    for name, table in document.items():
        if name in SECRETS and isinstance(table, dict):
            table = {key: HIDDEN if key in SECRETS[name] and value else value for key, value in table.items()}
        hidden[name] = table
    return hidden


def secret_values(intent: Intent) -> tuple[str, ...]:
    """List the secrets of an intent, for whoever must prove that none of them goes out."""
    tables = ((getattr(intent, name), keys) for name, keys in SECRETS.items())
    return tuple(str(value) for table, keys in tables for key in keys if (value := getattr(table, key)))
