"""manifest.json: what an image is made of, package by package, in bytes."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from image.bases import Package, RepositoryState
from image.file_owners import Ownership, Usage, measure_usage
from image.sums import Artefact
from nodelib.errors import Code, VirtnodeError

MANIFEST_NAME = "manifest.json"
SBOM_NAME = "sbom.spdx.json"
SCHEMA = 1

_Entry = TypeVar("_Entry")


@dataclass(frozen=True)
class Identity:
    """What a build is a build of; `source_date_epoch` in seconds since 1970."""

    product: str
    version: str
    architecture: str
    base: str
    suite: str
    plan: str
    """The plan's id: equal for two builds that were asked for the same."""
    profile: str
    source_date_epoch: int


@dataclass(frozen=True)
class InstalledPackage:
    """A package of the root: uncompressed bytes and files of it that trimming left there, perhaps none."""

    name: str
    version: str
    architecture: str
    licence: str
    source: str
    bytes: int
    files: int


@dataclass(frozen=True)
class BootPackage:
    """A package that is on the media and not in the root; `where` has its paths on the media."""

    name: str
    version: str
    architecture: str
    licence: str
    source: str
    where: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    """Everything known of a finished image; sizes in bytes."""

    identity: Identity
    repositories: tuple[RepositoryState, ...]
    packages: tuple[InstalledPackage, ...]
    others: tuple[Usage, ...]
    """Files of the root that no package brought: `virtnode` and `generated`."""
    drivers: tuple[Usage, ...]
    """Kernel modules by driver group; their bytes are among the kernel package's too."""
    boot_packages: tuple[BootPackage, ...]
    artefacts: tuple[Artefact, ...]


def collect_manifest(
    identity: Identity,
    *,
    root: Path,
    packages: Iterable[Package],
    ownership: Ownership,
    repositories: Iterable[RepositoryState],
    boot_packages: Mapping[Package, tuple[str, ...]],
    artefacts: Iterable[Artefact],
) -> Manifest:
    """Measure a trimmed root against the packages it was made from.

    `boot_packages` maps the packages of the boot chain, and others whose files are on the media only, to
    where they are there.
    """
    usage = {entry.name: entry for entry in measure_usage(root, ownership.owners)}
    installed = sorted(packages, key=lambda package: (package.name, package.architecture))
    names = {package.name for package in installed}
    return Manifest(
        identity=identity,
        repositories=tuple(sorted(repositories, key=lambda repository: repository.name)),
        packages=tuple(_measured(package, usage) for package in installed),
        others=tuple(entry for name, entry in sorted(usage.items()) if name not in names),
        drivers=measure_usage(root, ownership.drivers),
        boot_packages=tuple(
            BootPackage(
                package.name, package.version, package.architecture, package.licence, package.source, where
            )
            for package, where in sorted(boot_packages.items(), key=lambda item: item[0].name)
        ),
        artefacts=tuple(
            artefact
            for artefact in sorted(artefacts, key=lambda artefact: artefact.path)
            if artefact.path not in {MANIFEST_NAME, SBOM_NAME}
        ),
    )


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as JSON: the same bytes for the same manifest."""
    document = {"schema": SCHEMA, **dataclasses.asdict(manifest)}
    path.write_text(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_manifest(path: Path) -> Manifest:
    """Read what write_manifest wrote."""
    try:
        document = json.loads(path.read_text())
        if document["schema"] != SCHEMA:
            raise ValueError(f"its schema is {document['schema']}, this program reads {SCHEMA}")
        return Manifest(
            identity=_entry(Identity, document["identity"]),
            repositories=_entries(RepositoryState, document["repositories"]),
            packages=_entries(InstalledPackage, document["packages"]),
            others=_entries(Usage, document["others"]),
            drivers=_entries(Usage, document["drivers"]),
            boot_packages=_entries(BootPackage, document["boot_packages"]),
            artefacts=_entries(Artefact, document["artefacts"]),
        )
    except FileNotFoundError as error:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no {path}", "build writes it beside the image"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is not a manifest of virtnode-image: {error}"
        raise VirtnodeError(Code.INVALID, message, "copy it again from the folder the build wrote") from error


def _measured(package: Package, usage: Mapping[str, Usage]) -> InstalledPackage:
    found = usage.get(package.name, Usage(package.name, 0, 0))
    return InstalledPackage(
        name=package.name,
        version=package.version,
        architecture=package.architecture,
        licence=package.licence,
        source=package.source,
        bytes=found.bytes,
        files=found.files,
    )


def _entries(kind: type[_Entry], values: object) -> tuple[_Entry, ...]:
    if not isinstance(values, list):
        raise TypeError(f"{values!r} is no list")
    return tuple(_entry(kind, value) for value in values)


def _entry(kind: type[_Entry], value: object) -> _Entry:
    """Build a flat dataclass from JSON's types, each checked; lists become tuples."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    arguments = {name: tuple(given) if isinstance(given, list) else given for name, given in value.items()}
    for name, wanted in kind.__annotations__.items():
        if wanted in (str, int) and not isinstance(arguments[name], wanted):
            raise TypeError(f"{name} should be of type {wanted.__name__}")
    return kind(**arguments)
