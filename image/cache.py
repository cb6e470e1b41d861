"""Expensive stages, kept under the digest of what went into them."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

KEPT = 3
"""How many results of a stage are kept: the present one and two before it."""


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
        home.mkdir(parents=True, exist_ok=True)
        result = home / key[:32]
        with (home / f"{result.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = result.is_dir()
            if not found:
                self._make(result, make)
            os.utime(result)
            fcntl.flock(lock, fcntl.LOCK_SH)
            self._prune(home)
            yield result, found

    def _make(self, result: Path, make: Callable[[Path], None]) -> None:
        unfinished = result.with_name(f"{result.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            make(unfinished)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        unfinished.rename(result)

    def _prune(self, home: Path) -> None:
        stages = sorted(
            (path for path in home.iterdir() if path.is_dir()), key=lambda path: -path.stat().st_mtime
        )
        for old in stages[KEPT:]:
            lock_path = home / f"{old.name.removesuffix('.unfinished')}.lock"
            with lock_path.open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                shutil.rmtree(old)
                lock_path.unlink()
