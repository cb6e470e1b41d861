"""Which keys of the state the engine decided: people at the node see them, and do not change them."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from nodeagent.intent import LoadedIntent
from nodeagent.intent_changes import changed_keys
from nodeagent.intent_sources import GOOD_STATE, STATE, leaf_keys
from nodeagent.tree_files import ABSENT, TreeFiles, text_file
from nodelib.bus import ENGINE_ORIGIN
from nodelib.codec import from_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at

logger = logging.getLogger(__name__)

RECORD = "var/lib/virtnode/engine-keys.json"
ENGINE_KEY = "engine.address"
STATE_ORIGINS = frozenset((f"/{STATE}", f"/{GOOD_STATE}"))


class Deciding(Enum):
    """Who decides a change."""

    PEOPLE = auto()
    """Somebody at the node; the engine's keys are not theirs."""
    ENGINE = auto()
    """The engine that the node is joined to."""
    NOBODY = auto()
    """The node leaves its engine or goes to another: what that one decided is free again."""


@dataclass(frozen=True)
class Record:
    """The dotted keys, in order."""

    keys: tuple[str, ...] = ()


def read_decided(tree: TreeFiles) -> tuple[str, ...]:
    """Name the keys that the engine decided; a record that cannot be read is none."""
    text = tree.text(RECORD)
    if not text:
        return ()
    try:
        return from_json(Record, text).keys
    except VirtnodeError as error:
        logger.error("/%s cannot be read: %s", RECORD, error.message)
        return ()


def write_decided(tree: TreeFiles, keys: Iterable[str]) -> None:
    """Keep which keys the engine decided; without any there is no record."""
    kept = tuple(sorted(set(keys)))
    if kept != read_decided(tree) or tree.exists(RECORD) != bool(kept):
        tree.put(RECORD, text_file(to_json(Record(kept)), 0o600) if kept else ABSENT)


def decide(
    who: Deciding,
    decided: Iterable[str],
    patch: Mapping[str, object],
    *,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> tuple[str, ...]:
    """Name the keys that the engine will have decided once a patch has led from one state to another.

    Raises VirtnodeError (conflict) for a change by people here of what the engine decided.
    """
    if who is Deciding.NOBODY:
        return ()
    keys, changed = set(decided), changed_keys(before, after)
    if who is Deciding.ENGINE:
        keys |= set(leaf_keys(patch))
    elif touched := sorted(keys.intersection(changed)):
        raise VirtnodeError(
            Code.CONFLICT,
            f"this is decided by the engine: {', '.join(touched)}",
            f"change it there, or leave the engine: {at(Place.LEAVE)}",
        )
    elif ENGINE_KEY in changed:
        # Whoever names another engine, or none, leaves the one that decided.
        return ()
    return tuple(sorted(keys.intersection(leaf_keys(after))))


def show_decided(loaded: LoadedIntent, decided: Iterable[str]) -> dict[str, str]:
    """Say where each key came from, the engine's own among them."""
    mine = set(decided)
    return {
        key: ENGINE_ORIGIN if key in mine and origin in STATE_ORIGINS else origin
        for key, origin in loaded.origins.items()
    }
