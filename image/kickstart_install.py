"""What a kickstart says of an installation by nobody: which disk, what on it may go, how it ends."""

import functools
import re
from collections.abc import Callable

from image.config import Origin
from image.kickstart_draft import ENDS, ERASES, THE_DISK, Arguments, Draft

DISK = re.compile(r"(?:/dev/)?((?:disk/by-(?:id|path)/)?[A-Za-z0-9][A-Za-z0-9._:+-]*)")
Reader = Callable[[Draft, Origin, Arguments], None]


def read_ignoredisk(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the one disk that an installation is for."""
    _take_disk(draft, origin, "ignoredisk --only-use", arguments.texts("onlyuse"))


def read_clearpart(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take that partitions and file systems of that disk may go; what has a name stays guarded."""
    if "--all" not in arguments.options:
        draft.problems.add(
            origin, "clearpart without --all is not honoured", "an installation takes the whole disk"
        )
    draft.set_once(origin, ERASES, True)
    if "--drives" in arguments.options:
        _take_disk(draft, origin, "clearpart --drives", arguments.texts("drives"))


def reader_of_end(after: str) -> Reader:
    """Make the reader of a command that says what an installation ends with."""
    return functools.partial(_read_end, after=after)


def _read_end(draft: Draft, origin: Origin, arguments: Arguments, after: str) -> None:
    draft.set_once(origin, ENDS, after)


def _take_disk(draft: Draft, origin: Origin, words: str, names: tuple[str, ...]) -> None:
    found = [DISK.fullmatch(name) for name in names]
    if len(found) != 1 or found[0] is None:
        draft.problems.add(origin, f"{words} takes one disk", "as in sda, or disk/by-id/NAME")
        return
    draft.set_once(origin, THE_DISK, f"/dev/{found[0][1]}")
