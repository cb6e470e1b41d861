"""What a kind of setting is: the files it wants, and what must be done once they are written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from nodeagent.changes import Change, FileState
from nodeagent.intent import Intent
from nodeagent.intent_changes import HIDDEN
from nodeagent.services import Services
from nodeagent.tree_files import ABSENT, TreeFiles

ORIGINALS = "run/virtnode/original"
"""What the image had where an intent has something else: as volatile as /etc is."""


@dataclass(frozen=True)
class Wanted:
    """A file as the intent wants it, and what that means to a person; a companion of another has no text."""

    path: str
    state: FileState
    text: str = ""
    secret: bool = False
    """What is in the file is shown to nobody."""


@dataclass(frozen=True)
class Setting:
    """One kind of setting."""

    kind: str
    wanted: Callable[[Intent, TreeFiles], Iterable[Wanted]]
    act: Callable[[Services, TreeFiles, Sequence[Change]], None]
    """Let the system take notice of changes of this kind; they are written already."""
    missing: Callable[[Intent, TreeFiles], Iterable[str]] = lambda intent, tree: ()
    """What this image cannot do of what the intent asks, one line each."""


def plan_setting(setting: Setting, intent: Intent, tree: TreeFiles) -> Iterator[Change]:
    """Compare what is wanted with what is there."""
    for wanted in setting.wanted(intent, tree):
        old = tree.state(wanted.path)
        if not is_same(old, wanted.state):
            yield Change(
                kind=setting.kind,
                text=wanted.text,
                before=_shown(old, wanted),
                after=_shown(wanted.state, wanted),
                path=wanted.path,
                old=old,
                new=wanted.state,
            )


def _shown(state: FileState, wanted: Wanted) -> str:
    return HIDDEN if wanted.secret and state.text else state.text


def is_same(one: FileState, other: FileState) -> bool:
    """Tell whether two states are the same to the node; who owns a link, or nothing, does not matter."""
    if one.link or one.content is None:
        return (one.link, one.content) == (other.link, other.content)
    return one == other


def override(tree: TreeFiles, path: str, wanted: FileState | None, text: str) -> Iterator[Wanted]:
    """Replace a file of the image as long as an intent wants it otherwise; then the image's comes back."""
    kept = f"{ORIGINALS}/{path}"
    present = tree.state(path)
    if wanted is None:
        if tree.exists(kept):
            yield Wanted(path, tree.state(kept), f"{text} as the image has it")
            yield Wanted(kept, ABSENT)
        return
    if not tree.exists(kept) and present.content is not None and not is_same(present, wanted):
        yield Wanted(kept, present)
    yield Wanted(path, wanted, text)


def original(tree: TreeFiles, path: str) -> FileState:
    """Return what the image has at a path, whatever an intent made of it."""
    kept = f"{ORIGINALS}/{path}"
    return tree.state(kept if tree.exists(kept) else path)


def like(state: FileState, wanted: FileState) -> FileState:
    """Give a file the mode and owner that another one has, if that is a file."""
    if state.content is None or state.link:
        return wanted
    return replace(wanted, mode=state.mode, uid=state.uid, gid=state.gid)
