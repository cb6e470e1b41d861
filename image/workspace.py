"""The output folder: locked while a build runs, and changed only by whole, finished artefacts."""

import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from image.sums import keep_sums
from nodelib.errors import Code, VirtnodeError
from nodelib.interruption import interruption_waits

LOCK_NAME = ".virtnode-build.lock"
REPLACED = "replaced"


@contextlib.contextmanager
def open_workspace(out: Path) -> Iterator[Path]:
    """Lock `out` and give a temporary folder beside the artefacts, removed whatever happens.

    Raises VirtnodeError: busy while another build writes there, denied where none can.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / LOCK_NAME).open("w")
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise VirtnodeError(
            Code.DENIED,
            f"nothing can be written to {out}: {error.strerror}",
            "choose another folder with --out",
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise VirtnodeError(
                Code.BUSY,
                f"another build is writing to {out}",
                "wait for it, or choose another folder with --out",
            ) from error
        remove_leftovers(out)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=out) as workspace:
            yield Path(workspace)


def remove_leftovers(out: Path) -> None:
    """Remove what a build that was killed left behind; the caller holds the lock."""
    for leftover in out.glob(".building-*"):
        shutil.rmtree(leftover)


def publish(finished: Path, out: Path) -> list[Path]:
    """Move each finished artefact from `finished` to `out`, replacing an older one of the same name.

    What is replaced moves to a folder beside `finished`. What an earlier build left and this one does not
    make stays, and keeps its line in SHA256SUMS. An interruption waits until all have moved.
    """
    keep_sums(finished, out)
    replaced = finished.with_name(REPLACED)
    replaced.mkdir()
    published = []
    with interruption_waits():
        for source in sorted(finished.iterdir()):
            target = out / source.name
            if target.exists():
                target.rename(replaced / source.name)
            source.rename(target)
            published.append(target)
    return published
