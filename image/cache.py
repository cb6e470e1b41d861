"""Expensive stages, kept under the digest of what went into them."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from nodelib.errors import Code, VirtnodeError

KEPT = 3
"""How many results of a stage are kept: the present one and two before it."""
UNFINISHED = ".unfinished"


class Cache:
    """A folder of finished stages; a stage that did not finish never shows under its key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def stage(self, name: str, key: str, make: Callable[[Path], None]) -> Iterator[tuple[Path, bool]]:
        """Give the folder of a stage, made by `make` unless it is there, and whether it was.

        Nobody removes it while the context lasts. Two builds that want the same stage wait for one another.
        """
        home = self._folder / name
        try:
            home.mkdir(parents=True, exist_ok=True)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise VirtnodeError(
                Code.DENIED,
                f"nothing can be kept in {home}: {error.strerror}",
                "choose another folder with --cache",
            ) from error
        result = home / key[:32]
        with contextlib.ExitStack() as held:
            found = True
            while True:
                lock = held.enter_context(_locked(_lock_path(result)))
                if not result.is_dir():
                    found = False
                    _make(result, make)
                os.utime(result)
                # From alone to shared is not one step: another build may remove the stage in between.
                fcntl.flock(lock, fcntl.LOCK_SH)
                if result.is_dir() and _is_still(lock, _lock_path(result)):
                    break
                held.close()
            _prune(home)
            yield result, found


def _make(result: Path, make: Callable[[Path], None]) -> None:
    unfinished = result.with_name(f"{result.name}{UNFINISHED}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        make(unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    unfinished.rename(result)


def _prune(home: Path) -> None:
    """Remove what is old, and what a build that was killed left, unless another build holds it."""
    ages: list[tuple[float, Path]] = []
    for path in home.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and not path.name.endswith(UNFINISHED):
                ages.append((path.stat().st_mtime, path))
    old = [path for _, path in sorted(ages, reverse=True)[KEPT:]]
    for path in [*old, *home.glob(f"*{UNFINISHED}")]:
        lock_path = _lock_path(path)
        with contextlib.suppress(BlockingIOError), _locked(lock_path, wait=False):
            shutil.rmtree(path, ignore_errors=True)
            lock_path.unlink(missing_ok=True)


def _lock_path(stage: Path) -> Path:
    return stage.with_name(f"{stage.name.removesuffix(UNFINISHED)}.lock")


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[TextIO]:
    """Hold a lock alone; raises BlockingIOError when it is taken and shall not be waited for."""
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Whoever removed the stage meanwhile has removed the lock's file with it.
            if _is_still(lock, path):
                yield lock
                return


def _is_still(lock: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock.fileno()), path.stat())
    except FileNotFoundError:
        return False
