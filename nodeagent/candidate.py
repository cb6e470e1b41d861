"""What a patch of the state would lead to: the intent, and the changes that make it fact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.intent_changes import quiet_changes
from nodeagent.intent_sources import load_intent, load_state, load_with_state, merge
from nodeagent.settings.table import SETTINGS, plan_changes
from nodeagent.tree_files import TreeFiles
from nodelib.bus import PATCH_NAME
from nodelib.errors import Code, VirtnodeError


@dataclass(frozen=True)
class Candidate:
    """A state that may come to be."""

    state: Mapping[str, object]
    changes: tuple[Change, ...]
    quiet: tuple[Change, ...]
    """Changes of the intent that change no file."""


def make_candidate(root: Path, cmdline: str, patch: Mapping[str, object]) -> Candidate:
    """Look at a patch from all sides; nothing is changed.

    Raises InvalidInput with everything that is wrong with it, and VirtnodeError (unavailable) for what this
    image cannot do.
    """
    tree = TreeFiles(root)
    before = load_intent(root, cmdline).intent
    state = merge(load_state(root), patch)
    after = load_with_state(root, cmdline, state, PATCH_NAME).intent
    already = set(missing(before, tree))
    lacking = [line for line in missing(after, tree) if line not in already]
    if lacking:
        raise VirtnodeError(Code.UNAVAILABLE, "\n".join(lacking), "leave this out, or use another image")
    return Candidate(state, plan_changes(after, tree), quiet_changes(before, after))


def missing(intent: Intent, tree: TreeFiles) -> tuple[str, ...]:
    """Name everything that an intent asks and this image cannot do, one line each."""
    return tuple(line for setting in SETTINGS for line in setting.missing(intent, tree))
