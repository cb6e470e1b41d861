"""What of an intent changes, for people: the engine to join, and keys of the state without their secrets."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields

from nodeagent.changes import Change
from nodeagent.intent import EngineIntent, Intent

HIDDEN = "(hidden)"


def engine_changes(before: EngineIntent, after: EngineIntent) -> tuple[Change, ...]:
    """Say what of the engine changes, one line a key, without the secrets."""
    return tuple(_compare(before, after))


def _compare(before: EngineIntent, after: EngineIntent) -> Iterator[Change]:
    for field in fields(EngineIntent):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            shown = [_shown(value, secret=field.metadata["secret"]) for value in (old, new)]
            text = f"engine.{field.name}: {shown[1] or 'none'}"
            yield Change(kind="engine", text=text, before=shown[0], after=shown[1])


def _shown(value: object, *, secret: bool) -> str:
    text = ", ".join(value) if isinstance(value, tuple) else str(value)
    return HIDDEN if secret and text else text


def hide_secrets(document: Mapping[str, object]) -> dict[str, object]:
    """Copy the tables of an intent with what is secret replaced: for people, logs and support files."""
    hidden: dict[str, object] = {}
    secrets = {field.name for field in fields(EngineIntent) if field.metadata["secret"]}
    for name, table in document.items():
        if name == "engine" and isinstance(table, dict):
            table = {key: HIDDEN if key in secrets and value else value for key, value in table.items()}
        hidden[name] = table
    return hidden


def secret_values(intent: Intent) -> tuple[str, ...]:
    """List the secrets of an intent, for whoever must prove that none of them goes out."""
    values = [
        getattr(intent.engine, field.name) for field in fields(EngineIntent) if field.metadata["secret"]
    ]
    return tuple(str(value) for value in values if value)


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
