"""A change of the node that turns intent into fact: what a person reads, and what is written where."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class FileState:
    """What is at a path: nothing, a file with its bytes, or a symlink with its target."""

    content: str | None = None
    """Base64 of a file's bytes, a symlink's target, or None for nothing."""
    link: bool = False
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    @property
    def text(self) -> str:
        """What a person reads: the file's text, where the link points to, or nothing."""
        if self.content is None:
            return ""
        return f"-> {self.content}" if self.link else self.data.decode(errors="replace")

    @property
    def data(self) -> bytes:
        """The bytes of a file."""
        return b"" if self.content is None or self.link else base64.b64decode(self.content)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change: its line in `config plan`, and what carries it out."""

    kind: str
    """The kind of setting, as `settings/` names it, or the intent's table where no file changes."""
    text: str
    """One line for a person."""
    before: str = ""
    after: str = ""
    path: str = ""
    """The file below the root, without a leading slash; empty where no file changes."""
    old: FileState = FileState()
    new: FileState = FileState()


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What was changed; the ticket confirms it, and is empty where nothing was changed."""

    changes: tuple[Change, ...]
    ticket: str = ""
    before: Mapping[str, object] = field(default_factory=dict)
    """What of the state differs, by dotted key, without secrets: as it was."""
    after: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A change that waits for its confirmation."""

    ticket: str
    actor: str
    deadline: float
    """By `applier.boot_clock`, in seconds since the machine started."""
    seconds_left: float
    changes: tuple[str, ...]
    """Each change's text."""
