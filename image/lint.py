"""Finds what is broken or unaccounted for in a finished root tree, before anything boots it."""

import fnmatch
import logging
import os
import re
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.artefacts import parse_os_release
from image.bases import Package
from image.elf import ElfFile, find_unresolved, read_elf
from image.ownership import PackageIndex, index_packages
from image.rootpath import RootPaths
from image.units import find_commands, has_unit

logger = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"
OURS = ("/usr/lib/virtnode/*",)
"""Globs of what we put into the tree ourselves."""

_PROGRAM_DIRECTORIES = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_NO_PROGRAMS_BELOW = ("/usr/lib/firmware/", "/usr/lib/modules/", "/usr/share/qemu/", "/usr/share/seabios/")
_NO_PROGRAM_SUFFIXES = (".pyc", ".mo", ".gz", ".xz", ".py", ".h", ".conf", ".xml")
_MADE_AT_RUN_TIME = ("/run/", "/proc/", "/sys/", "/dev/", "/var/", "/tmp/")
_ALTERNATIVES = "/etc/alternatives/"
_ENABLING_DIRECTORY = re.compile(r"/systemd/(system|user)/[^/]+\.(?:wants|requires|upholds)/([^/]+)$")


@dataclass(frozen=True)
class Allowances:
    """What the checks let pass: globs (`*` crosses directories), each with the reason it may."""

    generated: Mapping[str, str]
    """Files that package scripts make, which no package lists."""
    checks: Mapping[str, Mapping[str, str]]
    """By check (elf, script, unit, link): paths whose complaint is known and harmless."""


@dataclass(frozen=True)
class _Problem:
    check: str
    path: str
    text: str


@dataclass(frozen=True)
class _Tree:
    """What one walk over the tree saw."""

    links: tuple[str, ...]
    files: tuple[str, ...]
    elves: Mapping[str, ElfFile]
    interpreters: Mapping[str, str]
    """Executable script to its first line, without `#!`."""


def read_families(root: Path) -> tuple[str, ...]:
    """Name the distribution whose files a root holds, and those it takes after, as its os-release does.

    Which installer brought them is another matter: packages of one distribution may come by another's.
    """
    release = parse_os_release((root / "usr/lib/os-release").read_text())
    return (*release.get("ID", "").split(), *release.get("ID_LIKE", "").split())


def load_allowances(families: Sequence[str], data: Path = DATA) -> Allowances:
    """Read generated.toml and lint-allow.toml: what holds anywhere, and what for these distributions."""
    generated = tomllib.loads((data / "generated.toml").read_text())
    allowed = tomllib.loads((data / "lint-allow.toml").read_text())
    files: dict[str, str] = {}
    checks: dict[str, dict[str, str]] = {}
    for scope in ("any", *families):
        files |= generated.get(scope, {})
        for check, globs in allowed.get(scope, {}).items():
            checks.setdefault(check, {}).update(globs)
    return Allowances(files, checks)


def check_rootfs(
    root: Path,
    packages: Sequence[Package],
    allowances: Allowances,
    *,
    ours: Sequence[str] = OURS,
) -> list[str]:
    """Return every problem of a root tree, one line each, in the order of paths.

    `packages` are those that were installed, trimmed or not. Logs a warning for an allowance that allows
    nothing any more.
    """
    paths = RootPaths(root)
    index = index_packages(paths, packages)
    tree = _walk(paths)
    problems = [
        *_check_elves(tree, paths),
        *_check_scripts(tree, paths),
        *_check_units(paths),
        *_check_links(tree, paths, index),
        *_check_manifest(tree, paths, index, [*ours, *allowances.generated]),
    ]
    kept = _drop_allowed(problems, allowances.checks)
    return [f"{problem.path}: {problem.text}" for problem in sorted(kept, key=lambda problem: problem.path)]


def _walk(paths: RootPaths) -> _Tree:
    links, files = [], []
    elves: dict[str, ElfFile] = {}
    interpreters: dict[str, str] = {}
    for path, entry in _entries(paths.root, ""):
        if entry.is_symlink():
            links.append(path)
            continue
        files.append(path)
        head = _read_head(path, entry)
        if head.startswith(b"\x7fELF"):
            elf = read_elf(path, entry.path)
            if elf is not None:
                elves[path] = elf
        elif head.startswith(b"#!") and entry.stat(follow_symlinks=False).st_mode & 0o111:
            interpreters[path] = head[2:].split(b"\n")[0].decode(errors="replace")
    return _Tree(tuple(links), tuple(files), elves, interpreters)


def _entries(directory: str, path: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, f"{path}/{entry.name}")
            else:
                yield f"{path}/{entry.name}", entry


def _read_head(path: str, entry: os.DirEntry[str]) -> bytes:
    if path.startswith(_NO_PROGRAMS_BELOW) or not entry.is_file(follow_symlinks=False):
        return b""
    executable = entry.stat(follow_symlinks=False).st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    if path.endswith(_NO_PROGRAM_SUFFIXES) and not executable:
        return b""
    with Path(entry.path).open("rb", buffering=0) as file:
        return file.read(256)


def _check_elves(tree: _Tree, paths: RootPaths) -> Iterator[_Problem]:
    for path, complaint in find_unresolved(tree.elves, paths):
        yield _Problem("elf", path, complaint)


def _check_scripts(tree: _Tree, paths: RootPaths) -> Iterator[_Problem]:
    for path, line in tree.interpreters.items():
        program = _find_interpreter(line)
        if program and not _has_program(paths, program):
            yield _Problem("script", path, f"its interpreter {program} is missing")


def _find_interpreter(line: str) -> str:
    """Read a `#!` line; for env, the program that env would start."""
    words = line.split()
    if not words or words[0].rpartition("/")[2] != "env":
        return words[0] if words else ""
    for word in words[1:]:
        name = word.removeprefix("-S").removeprefix("--split-string=")
        if name and not name.startswith("-") and "=" not in name:
            return name
    return words[0]


def _check_units(paths: RootPaths) -> Iterator[_Problem]:
    for command in find_commands(paths):
        if not _has_program(paths, command.program):
            yield _Problem("unit", command.unit, f"{command.setting}={command.program} is missing")


def _has_program(paths: RootPaths, program: str) -> bool:
    if program.startswith("/"):
        return paths.exists(program)
    return any(paths.exists(f"{directory}/{program}") for directory in _PROGRAM_DIRECTORIES)


def _check_links(tree: _Tree, paths: RootPaths, index: PackageIndex) -> Iterator[_Problem]:
    for path in tree.links:
        target = paths.resolve(path)
        if paths.exists(target) or f"{target}/".startswith(_MADE_AT_RUN_TIME):
            continue
        enabling = _ENABLING_DIRECTORY.search(path)
        if enabling is not None and has_unit(paths, *enabling.groups()):
            continue
        if target in index.listed:
            yield _Problem("link", path, f"leads to {target}, which its package has and the tree has not")
        elif path not in index.listed:
            yield _Problem("link", path, f"leads to {target}, which is in no package")


def _check_manifest(
    tree: _Tree, paths: RootPaths, index: PackageIndex, accounted: Sequence[str]
) -> Iterator[_Problem]:
    known = re.compile("|".join(fnmatch.translate(glob) for glob in accounted) or "(?!)")
    for path in (*tree.files, *tree.links):
        if path not in index.listed and not known.match(path) and not _is_choice(paths, path):
            yield _Problem("manifest", path, "belongs to no package, and nothing says what made it")


def _is_choice(paths: RootPaths, path: str) -> bool:
    """Tell whether a path is one that update-alternatives made, for whatever package."""
    link = Path(paths.host(path))
    return link.is_symlink() and str(link.readlink()).startswith(_ALTERNATIVES)


def _drop_allowed(problems: Sequence[_Problem], checks: Mapping[str, Mapping[str, str]]) -> list[_Problem]:
    kept = list(problems)
    for check, globs in checks.items():
        for glob in globs:
            allowed = [one for one in kept if one.check == check and fnmatch.fnmatchcase(one.path, glob)]
            if not allowed:
                logger.warning("the lint allowance %s %r allows nothing any more", check, glob)
            kept = [problem for problem in kept if problem not in allowed]
    return kept
