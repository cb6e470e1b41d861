"""Which file of a root tree belongs to which package, by the path it really has there."""

import fnmatch
import os
import re
import stat
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from image.bases import Package
from image.rootpath import RootPaths


@dataclass(frozen=True)
class PackageIndex:
    """Every path the packages list: canonical, with the spellings the packages use for it."""

    files: Mapping[str, Mapping[str, frozenset[str]]]
    """Package name to the files it owns, each with its spellings, the canonical one included."""
    listed: frozenset[str]
    """All canonical paths of all packages, directories and files that are gone included."""

    def select(self, package_glob: str) -> dict[str, frozenset[str]]:
        """Gather the files of the packages whose name matches."""
        chosen: dict[str, frozenset[str]] = {}
        for name in fnmatch.filter(self.files, package_glob):
            chosen |= self.files[name]
        return chosen

    def empty_directories(self) -> frozenset[str]:
        """Name what is listed with nothing listed below it: a directory among these is shipped empty."""
        return self.listed - {path.rpartition("/")[0] for path in self.listed}


def index_packages(paths: RootPaths, packages: Sequence[Package]) -> PackageIndex:
    """Look every listed path up in the tree once; byte-code beside a module goes with its package."""
    files: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    listed = set()
    directories = _known_directories(packages)
    bytecode = _Bytecode(paths)
    for package in packages:
        own = files[package.name]
        for spelling in package.files:
            path = paths.canonical(spelling)
            listed.add(path)
            if spelling in directories or _is_directory(paths, path):
                continue
            own[path] = frozenset((spelling, path))
            for compiled in bytecode.of_module(path):
                own.setdefault(compiled, frozenset((compiled,)))
                listed.add(compiled)
    return PackageIndex(dict(files), frozenset(listed))


def compile_globs(globs: Sequence[str], paths: RootPaths) -> list[tuple[str, re.Pattern[str]]]:
    """Translate package file globs, each also with its first directory resolved, as /lib/x is /usr/lib/x."""
    patterns = []
    for glob in globs:
        patterns.append((glob, re.compile(fnmatch.translate(glob))))
        first, _, rest = glob.lstrip("/").partition("/")
        resolved = paths.resolve("/" + first)
        if rest and glob.startswith("/") and resolved != "/" + first:
            patterns.append((glob, re.compile(fnmatch.translate(f"{resolved}/{rest}"))))
    return patterns


def _known_directories(packages: Sequence[Package]) -> set[str]:
    return {path.rpartition("/")[0] for package in packages for path in package.files}


def _is_directory(paths: RootPaths, path: str) -> bool:
    status = paths.status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


class _Bytecode:
    """Finds what Python compiled of a module: rpm packages list it, on Debian a trigger makes it unlisted."""

    def __init__(self, paths: RootPaths) -> None:
        self._paths = paths
        self._caches: dict[str, dict[str, list[str]]] = {}

    def of_module(self, path: str) -> list[str]:
        """List the compiled files of the module at `path`; nothing for any other file."""
        if not path.endswith(".py"):
            return []
        directory, _, name = path.rpartition("/")
        if directory not in self._caches:
            self._caches[directory] = self._read(f"{directory}/__pycache__")
        return self._caches[directory].get(name.removesuffix(".py"), [])

    def _read(self, cache: str) -> dict[str, list[str]]:
        compiled = defaultdict(list)
        try:
            with os.scandir(self._paths.host(cache)) as entries:
                for entry in entries:
                    if entry.name.endswith(".pyc"):
                        compiled[entry.name.split(".")[0]].append(f"{cache}/{entry.name}")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return compiled
