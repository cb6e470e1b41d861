"""What is needed to put a change back, kept on the disk before anything changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from nodeagent.changes import Change
from nodeagent.settings.setting import is_same
from nodeagent.tree_files import ABSENT, TreeFiles, text_file
from nodelib.codec import from_json, to_json
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

PATH = "var/lib/virtnode/rollback/pending.json"


class Phase(StrEnum):
    """How far a change has come."""

    APPLYING = "applying"
    APPLIED = "applied"
    CONFIRMED = "confirmed"
    REVERTING = "reverting"


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A change under way: how to put it back, until when it may be confirmed, and what holds then."""

    ticket: str
    actor: str
    phase: Phase
    boot_id: str
    window: float
    started: float
    """By the clock that counts from the machine's start, as is `deadline`."""
    deadline: float
    changes: tuple[Change, ...]
    folders: tuple[str, ...]
    """Folders that the change made, the innermost first."""
    document: Mapping[str, object]
    """The state, once confirmed."""
    decided: tuple[str, ...] = ()
    """Keys of it that the engine decided."""


class RollbackStore:
    """Keeps the one change that may be under way."""

    def __init__(self, tree: TreeFiles) -> None:
        self._tree = tree

    def read(self) -> Rollback | None:
        """Return the change under way; one that cannot be read is put aside, one half written is none."""
        self._tree.discard_unfinished(PATH)
        text = self._tree.text(PATH)
        if not text:
            return None
        try:
            return from_json(Rollback, text)
        except VirtnodeError as error:
            logger.error("/%s cannot be read and is put aside: %s", PATH, error.message)
            self._tree.put(f"{PATH}.bad", self._tree.state(PATH))
            self.clear()
            return None

    def write(self, rollback: Rollback) -> None:
        """Keep a change; it is on the disk when this returns."""
        self._tree.put(PATH, text_file(to_json(rollback), 0o600))

    def clear(self) -> None:
        """Forget the change."""
        self._tree.put(PATH, ABSENT)


def restore_files(tree: TreeFiles, rollback: Rollback, boot_id: str) -> tuple[list[Change], list[str]]:
    """Put files back, the last one first; returns what was undone, as changes, and what could not be."""
    undone: list[Change] = []
    failures: list[str] = []
    for change in reversed(rollback.changes):
        try:
            present = tree.state(change.path)
            # After a boot only what still carries the change is ours: /etc may be the image's again.
            ours = rollback.boot_id == boot_id or is_same(present, change.new)
            if ours and not is_same(present, change.old):
                tree.put(change.path, change.old)
            tree.discard_unfinished(change.path)
        except (VirtnodeError, OSError) as error:
            failures.append(str(error))
        else:
            undone += [replace(change, old=change.new, new=change.old)] * ours
    return undone, failures
