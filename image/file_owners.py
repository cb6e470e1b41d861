"""Who put each file of a finished root there: a package, our programs or the build; and for which drivers."""

import json
import lzma
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from image.bases import Package
from image.rootpath import RootPaths
from nodelib.errors import Code, VirtnodeError

OWNERSHIP_NAME = "ownership.json.xz"
VIRTNODE = "virtnode"
"""Owner of the node's own programs."""
GENERATED = "generated"
"""Owner of what the build itself made: caches, links, configuration."""


@dataclass(frozen=True)
class Ownership:
    """Absolute paths of a root's files and links, each with its owner; modules also with their group."""

    owners: Mapping[str, str]
    drivers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """What one owner or driver group has in the root: uncompressed bytes, and files and links."""

    name: str
    bytes: int
    files: int


def owners_of(root: Path, packages: Iterable[Package]) -> Mapping[str, str]:
    """Map each file and link left in `root` that a package brought to the package's name.

    Packages may list a file below a directory that is a link in the root, as /lib is on a merged /usr; such
    a link itself is nobody's. Compiled Python goes with its module, though no package may list it. Of two
    packages that claim one path the first by name has it.
    """
    paths = RootPaths(root)
    claims: dict[str, str] = {}
    for package in sorted(packages, key=lambda package: package.name):
        for listed in package.files:
            claims.setdefault(paths.canonical(listed), package.name)
    owners = {}
    for path, _ in files_below(root):
        owner = claims.get(path) or claims.get(_module_of(path))
        if owner is not None and path.count("/") > 1:
            owners[path] = owner
    return owners


def collect_ownership(
    root: Path, packages: Iterable[Package], *, own_paths: Collection[str], drivers: Mapping[str, str]
) -> Ownership:
    """Name an owner for every file of `root`: its package, `virtnode` for `own_paths`, else `generated`.

    `own_paths` are files, or directories with all below them; `drivers` maps module paths to their group.
    """
    by_package = owners_of(root, packages)
    own = tuple(path.rstrip("/") for path in own_paths)
    owners = {}
    for path, _ in files_below(root):
        is_own = any(path == prefix or path.startswith(f"{prefix}/") for prefix in own)
        owners[path] = VIRTNODE if is_own else by_package.get(path, GENERATED)
    paths = RootPaths(root)
    groups = {paths.canonical(path): group for path, group in drivers.items()}
    return Ownership(owners, {path: group for path, group in sorted(groups.items()) if path in owners})


def measure_usage(root: Path, owners: Mapping[str, str]) -> tuple[Usage, ...]:
    """Add up bytes and files of each owner, sorted by name; a hard link's bytes count at its first path."""
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    seen: set[tuple[int, int]] = set()
    for path, status in files_below(root):
        if (owner := owners.get(path)) is None:
            continue
        is_counted = stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen
        seen.add((status.st_dev, status.st_ino))
        sizes[owner] = sizes.get(owner, 0) + (status.st_size if is_counted else 0)
        counts[owner] = counts.get(owner, 0) + 1
    return tuple(Usage(name, sizes[name], counts[name]) for name in sorted(sizes))


def files_below(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every path of `root` that is no directory, as an absolute path inside it, in a fixed order."""
    for directory, names, files in os.walk(root):
        names.sort()
        inside = PurePosixPath("/", Path(directory).relative_to(root).as_posix())
        linked = [name for name in names if (Path(directory) / name).is_symlink()]
        for name in sorted([*files, *linked]):
            yield str(inside / name), (Path(directory) / name).lstat()


def write_ownership(ownership: Ownership, path: Path) -> None:
    """Write the paths of each owner and driver group, xz-compressed: the same bytes for the same list."""
    document = {"schema": 1, "drivers": _grouped(ownership.drivers), "owners": _grouped(ownership.owners)}
    text = json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
    path.write_bytes(lzma.compress(text.encode(), preset=9))


def read_ownership(path: Path) -> Ownership:
    """Read what write_ownership wrote."""
    try:
        document = json.loads(lzma.decompress(path.read_bytes()))
        return Ownership(_flat(document["owners"]), _flat(document["drivers"]))
    except (lzma.LZMAError, ValueError, KeyError, AttributeError, TypeError) as error:
        message = f"{path} is not an ownership list of virtnode-image"
        raise VirtnodeError(Code.INVALID, message, "copy it again from the folder the build wrote") from error


def _module_of(path: str) -> str:
    """Name the Python module that a file of __pycache__ was compiled from; the path itself for any other."""
    directory, _, name = path.rpartition("/")
    if not (directory.endswith("/__pycache__") and name.endswith(".pyc")):
        return path
    return f"{directory.removesuffix('/__pycache__')}/{name.split('.')[0]}.py"


def _grouped(names: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in sorted(names):
        groups.setdefault(names[path], []).append(path)
    return groups


def _flat(groups: Mapping[str, list[str]]) -> dict[str, str]:
    return {path: name for name, paths in groups.items() for path in paths}
