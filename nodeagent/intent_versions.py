"""Documents of other versions: each step between two versions, in both directions."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nodeagent.intent import VERSION
from nodeagent.problems import Problem

Document = dict[str, object]


@dataclass(frozen=True)
class Migration:
    """The step from one version to the next, and back."""

    up: Callable[[Document], Document]
    down: Callable[[Document], Document]


def rename_key(document: Document, table: str, old: str, new: str) -> Document:
    """Copy a document with one key renamed, where it is there."""
    inner = document.get(table)
    if not isinstance(inner, dict) or old not in inner:
        return document
    return {**document, table: {(new if name == old else name): value for name, value in inner.items()}}


def reword_value(document: Document, table: str, name: str, words: Mapping[str, str]) -> Document:
    """Copy a document with one key's word replaced, where it is there and is one of `words`."""
    inner = document.get(table)
    value = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(value, str) or value not in words:
        return document
    return {**document, table: {**inner, name: words[value]}}


def without_keys(document: Document, names: Sequence[str]) -> Document:
    """Copy a document without some keys, each `table.key`."""
    result = dict(document)
    for name in names:
        table, _, key = name.partition(".")
        inner = result.get(table)
        if isinstance(inner, dict):
            result[table] = {word: value for word, value in inner.items() if word != key}
            if not result[table]:
                del result[table]
    return result


NEW_IN_2 = ("access.password", "access.idle_lock", "system.keymap", "storage.initiator")
MIGRATIONS: Mapping[int, Migration] = {
    # Version 0 was never on a finished node; the first media carried it.
    0: Migration(
        up=lambda document: rename_key(document, "engine", "server", "address"),
        down=lambda document: rename_key(document, "engine", "address", "server"),
    ),
    # Version 1 had neither password nor lock, and `auto` for what the image has.
    1: Migration(
        up=lambda document: reword_value(document, "access", "ssh", {"auto": "image"}),
        down=lambda document: without_keys(
            reword_value(document, "access", "ssh", {"image": "auto", "automatic": "auto"}), NEW_IN_2
        ),
    ),
}
"""The step from each version to the next."""


def migrate(document: Document, target: int = VERSION) -> Document:
    """Bring a document to a version; one that says no version has the newest.

    What cannot be brought there is returned as it is, for the check to name.
    """
    version = document.get("version", VERSION)
    result = copy.deepcopy(document)
    if type(version) is not int or not 0 <= version <= VERSION:
        return result
    while version < target:
        result = MIGRATIONS[version].up(result)
        version += 1
    while version > target:
        version -= 1
        result = MIGRATIONS[version].down(result)
    return {**result, "version": version}


def migrate_patch(patch: Mapping[str, object]) -> Mapping[str, object]:
    """Bring a part of a document to the newest version; a part that says no version is of the newest."""
    return migrate(dict(patch)) if "version" in patch else patch


def version_problem(document: Mapping[str, object]) -> Problem | None:
    """Say what is wrong with a document's version, if anything."""
    version = document.get("version", VERSION)
    if type(version) is int and 0 <= version <= VERSION:
        return None
    return Problem(("version",), f"{version!r} is not known; this node reads versions 0 to {VERSION}")
