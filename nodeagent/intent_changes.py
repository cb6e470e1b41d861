"""What of an intent changes, for people: keys that no file shows, the state's keys, and never a secret."""

import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from nodeagent.changes import Change
from nodeagent.intent import InstallIntent, Intent

HIDDEN = "(hidden)"
QUIET = {
    "engine": ("address", "ca", "token", "proxy"),
    "access": ("idle_lock",),
    "install": tuple(field.name for field in fields(InstallIntent)),
}
"""Keys that no setting writes to a file, by their table."""


def quiet_changes(before: Intent, after: Intent) -> tuple[Change, ...]:
    """Say which keys change that no setting tells of, one line each, without the secrets."""
    return tuple(change for table in QUIET for change in _compare(table, before, after))


def _compare(table: str, before: Intent, after: Intent) -> Iterator[Change]:
    one, other = getattr(before, table), getattr(after, table)
    for field in fields(one):
        old, new = getattr(one, field.name), getattr(other, field.name)
        if field.name in QUIET[table] and old != new:
            shown = [_shown(value, secret=field.metadata["secret"]) for value in (old, new)]
            text = f"{table}.{field.name}: {shown[1] or 'none'}"
            yield Change(kind=table, text=text, before=shown[0], after=shown[1])


def _shown(value: object, *, secret: bool) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return HIDDEN if secret and text else text


def hide_secrets(document: Mapping[str, object], kind: type = Intent) -> dict[str, object]:
    """Copy the tables of an intent with what is secret replaced: for people, logs and support files."""
    hints = typing.get_type_hints(kind)
    secrets = {field.name for field in fields(kind) if field.metadata["secret"]}
    hidden: dict[str, object] = {}
    for name, value in document.items():
        hint = hints.get(name)
        if isinstance(value, Mapping) and isinstance(hint, type) and is_dataclass(hint):
            hidden[name] = hide_secrets(value, hint)
        else:
            hidden[name] = HIDDEN if name in secrets and value else value
    return hidden


def secret_values(intent: object) -> tuple[str, ...]:
    """List the secrets of an intent, for whoever must prove that none of them goes out."""
    assert is_dataclass(intent)
    found: list[str] = []
    for field in fields(intent):
        value = getattr(intent, field.name)
        if is_dataclass(value):
            found += secret_values(value)
        elif field.metadata["secret"] and value:
            found.append(str(value))
    return tuple(found)


def values_of(document: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Flatten tables to the value of each dotted key."""
    found: dict[str, object] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            found |= values_of(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def changed_keys(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Name the dotted keys whose values differ."""
    old, new = values_of(before), values_of(after)
    return tuple(key for key in {**old, **new} if _written(old.get(key)) != _written(new.get(key)))


def state_changes(
    before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return what of two states differs, as it was and as it is; secrets are hidden."""
    keys = changed_keys(before, after)
    old, new = values_of(hide_secrets(before)), values_of(hide_secrets(after))
    return {key: old[key] for key in keys if key in old}, {key: new[key] for key in keys if key in new}


def _written(value: object) -> str:
    """Write a value so that two that mean the same are the same: a tuple and a list do."""
    return json.dumps(value, sort_keys=True, default=str)
