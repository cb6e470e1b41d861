"""What an image is made of, in a form that a node carries and that two images can be compared by."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from image.bundle import is_bundle, read_bundle
from image.manifest import MANIFEST_NAME, read_manifest
from image.tables import make_console, make_table
from nodelib.bus_update import PackageChange
from nodelib.codec import encode
from nodelib.errors import Code, VirtnodeError
from nodelib.update_bundle import PACKAGE_LIST, SUFFIX


class NamedVersion(Protocol):
    """A package of a root or of a manifest."""

    @property
    def name(self) -> str:
        """The package's name."""

    @property
    def version(self) -> str:
        """Its version, as its installer writes it."""

    @property
    def architecture(self) -> str:
        """As its distribution calls it."""


def name_versions(packages: Iterable[NamedVersion]) -> dict[str, str]:
    """Name each package's version, sorted by name, trimmed away or not.

    Packages of one name for several architectures are called NAME:ARCHITECTURE; of a package that is there
    more than once all versions are named, with commas between them.
    """
    packages = list(packages)
    architectures: dict[str, set[str]] = defaultdict(set)
    versions: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        architectures[package.name].add(package.architecture)
    for package in packages:
        is_alone = len(architectures[package.name]) == 1
        name = package.name if is_alone else f"{package.name}:{package.architecture}"
        versions[name].add(package.version)
    return {name: ",".join(sorted(versions[name])) for name in sorted(versions)}


def install_package_list(root: Path, versions: Mapping[str, str]) -> None:
    """Write the list into a root: a line each, a name and a version."""
    path = root / PACKAGE_LIST
    path.write_text("".join(f"{name} {version}\n" for name, version in sorted(versions.items())))
    path.chmod(0o644)


def read_packages(path: Path) -> Mapping[str, str]:
    """Read the versions that an update bundle, a build's manifest, its folder or a node's list tells."""
    if path.is_dir():
        path = path / MANIFEST_NAME
    if not path.is_file():
        hint = f"give a bundle (*{SUFFIX}), a build's {MANIFEST_NAME} or a node's /{PACKAGE_LIST}"
        raise VirtnodeError(Code.NOT_FOUND, f"there is no {path}", hint)
    with path.open("rb") as file:
        start = file.read(512)
    if is_bundle(start):
        return read_bundle(path).manifest.packages
    if start.lstrip().startswith(b"{"):
        return name_versions(read_manifest(path).packages)
    return _read_list(path)


def compare_packages(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """List the packages that differ, by name; a version is empty where the package is absent."""
    return tuple(
        PackageChange(name, before.get(name, ""), after.get(name, ""))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def print_changes(old: Path, new: Path, *, as_json: bool) -> None:
    """Print what differs between two images' packages."""
    changes = compare_packages(read_packages(old), read_packages(new))
    if as_json:
        print(json.dumps(encode(changes), indent=2, sort_keys=True))
    elif not changes:
        print("the same packages in the same versions")
    else:
        table = make_table("package", "before", "after")
        for change in changes:
            table.add_row(change.name, change.before or "-", change.after or "-")
        make_console().print(table)


def _read_list(path: Path) -> dict[str, str]:
    try:
        rows = [line.split(" ") for line in path.read_text().splitlines()]
    except UnicodeDecodeError:
        rows = [[]]
    if any(len(row) != 2 for row in rows):
        hint = f"give a bundle (*{SUFFIX}), a build's {MANIFEST_NAME} or a node's /{PACKAGE_LIST}"
        raise VirtnodeError(Code.INVALID, f"{path} tells of no packages", hint)
    return {row[0]: row[1] for row in rows}
