"""Tiny payloads for tests of media: a few kilobytes where a build has megabytes."""

from pathlib import Path

import pytest

from image.bases import BootFiles
from image.config import Partition
from image.media import Payload, Release

EPOCH = 1_700_000_000
"""14 November 2023, 22:13:20 UTC."""
GRUB = Path("/usr/lib/grub/i386-pc")
LABEL = "VIRTNODE-0123ABCD"
RELEASE = Release(
    product="virtnode",
    version="0.1.0",
    build_id="0123abcd4567ef89",
    architecture="x86_64",
    system="Debian GNU/Linux 13",
    packages={"bash": "5.2.37-2", "systemd": "257.8-1"},
    intent_version=2,
)


def make_payload(
    folder: Path,
    *,
    partitions: tuple[Partition, ...] = (),
    arguments: tuple[str, ...] = ("quiet",),
    pxe_url: str = "",
    rootfs_size: int = 100_000,
) -> Payload:
    """Write files of every kind that media carry, each with a content of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("shim", "mok", "grub-removable", "grub-disk", "grub-network", "kernel", "initramfs", "network")
    for name in names:
        (folder / name).write_bytes(f"{name} ".encode() * 500)
    (folder / "rootfs").write_bytes(b"hsqs" + b"r" * (rootfs_size - 4))
    boot = BootFiles(
        shim=folder / "shim",
        mok_manager=folder / "mok",
        grub_removable=folder / "grub-removable",
        grub_disk=folder / "grub-disk",
        grub_network=folder / "grub-network",
        grub_bios=GRUB,
        vendor="debian",
        packages=(),
    )
    return Payload(
        name="virtnode-0.1.0-x86_64",
        title="virtnode 0.1.0",
        label=LABEL,
        kernel=folder / "kernel",
        initramfs=folder / "initramfs",
        network_initramfs=folder / "network",
        rootfs=folder / "rootfs",
        root=folder / "root",
        boot=boot,
        kernel_arguments=arguments,
        menu_timeout=5,
        partitions=partitions,
        pxe_url=pxe_url,
        epoch=EPOCH,
        release=RELEASE,
    )


def need_grub() -> None:
    """Skip where GRUB's modules for BIOS are not installed."""
    if not (GRUB / "boot_hybrid.img").exists():
        pytest.skip(f"{GRUB} is not there; grub-pc-bin brings it")
