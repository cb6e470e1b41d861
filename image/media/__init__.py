"""Media: each turns the same kernel, initramfs and root into something a machine can boot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases import BootFiles
from image.config import Partition


@dataclass(frozen=True)
class Release:
    """What an image is called and made of, as a node and its updates tell it."""

    product: str
    version: str
    build_id: str
    """BUILD_ID of its os-release."""
    architecture: str
    system: str
    """The distribution, as a person says it."""
    packages: Mapping[str, str]
    """Versions by name."""
    intent_version: int
    """The newest version of node.toml that its agent reads."""


@dataclass(frozen=True)
class Payload:
    """What every medium carries, and what its boot menu says."""

    name: str
    """File names begin with it: virtnode-VERSION-ARCH."""
    title: str
    """The product and its version, as a person reads it in a menu."""
    label: str
    """The ISO's volume label, by which the initramfs finds the medium: one of its own for each build."""
    kernel: Path
    initramfs: Path
    network_initramfs: Path
    """The same, able to fetch its root by HTTP."""
    rootfs: Path
    root: Path
    """The tree that `rootfs` was made from; a maker leaves it as it is."""
    boot: BootFiles
    kernel_arguments: Sequence[str]
    menu_timeout: int
    partitions: Sequence[Partition]
    pxe_url: str
    """Where the PXE folder will be served by HTTP; empty derives it from the boot server's address."""
    epoch: int
    """Seconds since 1970 that every time stamp on the media shows."""
    release: Release
    sign_keys: Sequence[Path] = ()
    """Private keys that sign the update bundle."""
