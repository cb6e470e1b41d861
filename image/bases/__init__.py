"""A base answers two questions: which repositories and keys, and how to call the installer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from image.config import ImageConfig

Report = Callable[[str], None]
"""Takes one line about what the installer does now."""


@dataclass(frozen=True)
class Package:
    """An installed package; `files` are absolute paths inside the root, directories included."""

    name: str
    version: str
    architecture: str
    licence: str
    """An SPDX expression, or what the package calls its licence; `NOASSERTION` when it does not say."""
    source: str
    """The source package's name and version, separated by a space."""
    files: tuple[str, ...]


@dataclass(frozen=True)
class RepositoryState:
    """One repository as it is now: a digest that changes whenever what it offers changes."""

    name: str
    digest: str


@dataclass(frozen=True)
class BootFiles:
    """The distribution's boot loaders, extracted from their packages and not installed in the root."""

    shim: Path
    """Signed first stage for UEFI."""
    mok_manager: Path
    grub_removable: Path
    """Signed GRUB for a CD or USB stick."""
    grub_disk: Path
    """Signed GRUB for an installed disk; it reads EFI/<vendor>/grub.cfg of its own partition."""
    grub_network: Path
    """Signed GRUB that reads its configuration by TFTP."""
    grub_bios: Path
    """Directory of GRUB's i386-pc modules and images."""
    vendor: str
    """The folder below EFI/ that the signed GRUB was built for."""
    packages: tuple[Package, ...]


@dataclass(frozen=True)
class Sources:
    """Where packages come from when the caller, and not the kickstart, says so."""

    mirror: str = ""
    """`--mirror`: replaces the host's or the kickstart's main address."""
    cache: Path = Path("/var/cache/virtnode")
    """Downloaded packages are kept below this directory."""


class Base(Protocol):
    """What the shared pipeline asks of a distribution. Every method raises VirtnodeError with a hint."""

    name: str

    def read_repositories(self, config: ImageConfig, sources: Sources) -> tuple[RepositoryState, ...]:
        """Ask each repository for its present state, in a second or less; nothing is installed."""

    def install(self, config: ImageConfig, sources: Sources, root: Path, report: Report) -> None:
        """Install the kickstart's packages, signatures checked, into `root`, which exists and is empty.

        A misspelt package, an unreachable repository, a wrong key and a failing scriptlet each raise
        VirtnodeError naming it. No mount is left behind, whatever happens.
        """

    def list_packages(self, root: Path) -> list[Package]:
        """Read the package database of an installed root."""

    def fetch_boot_files(
        self, config: ImageConfig, sources: Sources, root: Path, destination: Path
    ) -> BootFiles:
        """Download and extract the signed boot chain that matches `root` into `destination`."""
