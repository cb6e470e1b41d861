"""Path lookups as they would come out inside a root tree: no symlink and no `..` leads outside it."""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

MAX_SYMLINKS = 40
"""The kernel's own bound on the symlinks met on the way to one file."""

_MAGIC = re.compile(r"[*?\[]")


class RootPaths:
    """Resolves absolute paths of a root tree; what it learns about directories is kept until `forget`."""

    def __init__(self, root: Path) -> None:
        self.root = os.path.realpath(root)
        self._resolved: dict[str, str] = {}

    def host(self, path: str) -> str:
        """Name a canonical path of the tree for this machine's system calls."""
        return self.root + path

    def canonical(self, path: str) -> str:
        """Resolve every directory of `path` but not its last component: /lib/x becomes /usr/lib/x."""
        parent, _, name = path.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            return self.resolve(path)
        return self.resolve(parent).rstrip("/") + "/" + name

    def resolve(self, path: str) -> str:
        """Resolve `path` to its end; what does not exist is kept as it is written."""
        return self._resolve(path, MAX_SYMLINKS)

    def status(self, path: str) -> os.stat_result | None:
        """Give the status of the canonical `path` itself, None when there is nothing."""
        try:
            return os.lstat(self.host(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        """Tell whether `path`, its last symlink followed, is there."""
        status = self.status(self.resolve(path))
        return status is not None and not stat.S_ISLNK(status.st_mode)

    def is_directory(self, path: str) -> bool:
        """Tell whether `path`, its last symlink followed, is a directory."""
        status = self.status(self.resolve(path))
        return status is not None and stat.S_ISDIR(status.st_mode)

    def glob(self, pattern: str) -> list[str]:
        """List the canonical paths that match, as Python's glob does: `*` leaves out hidden names."""
        parts = [part for part in pattern.split("/") if part]
        directories = [""]
        for part in parts[:-1]:
            found = dict.fromkeys(self.resolve(path) for path in self._matches(directories, part))
            directories = [path.rstrip("/") for path in found]
        return list(dict.fromkeys(self._matches(directories, parts[-1]))) if parts else ["/"]

    def forget(self) -> None:
        """Drop what was learnt, after symlinks or directories of the tree have changed."""
        self._resolved.clear()

    def _matches(self, directories: list[str], part: str) -> Iterator[str]:
        for directory in directories:
            if not _MAGIC.search(part):
                if self.status(f"{directory}/{part}") is not None:
                    yield f"{directory}/{part}"
                continue
            for name in fnmatch.filter(self._names(directory), part):
                if part.startswith(".") or not name.startswith("."):
                    yield f"{directory}/{name}"

    def _names(self, directory: str) -> list[str]:
        try:
            return sorted(os.listdir(self.host(directory)))  # noqa: PTH208 (names alone, thousands of them)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _resolve(self, path: str, symlinks_left: int) -> str:
        here = ""
        for part in path.split("/"):
            if part == "..":
                here = here.rpartition("/")[0]
            elif part not in ("", "."):
                here = self._step(here, part, symlinks_left)
        return here or "/"

    def _step(self, directory: str, name: str, symlinks_left: int) -> str:
        path = f"{directory}/{name}"
        known = self._resolved.get(path)
        if known is not None:
            return known
        status = self.status(path)
        resolved = path
        if status is not None and stat.S_ISLNK(status.st_mode) and symlinks_left:
            target = os.readlink(self.host(path))  # noqa: PTH115 (the text as it stands)
            start = target if target.startswith("/") else f"{directory}/{target}"
            resolved = self._resolve(start, symlinks_left - 1)
        resolved = "" if resolved == "/" else resolved
        self._resolved[path] = resolved
        return resolved
