"""What a node installs to disks, and whom it trusts: GRUB for BIOS, sums of what starts it, keys."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from image.bases import BootFiles
from image.config import ImageConfig, PublicKey
from image.media.disk import make_disk_core
from image.signing import SUFFIX

SIZE_KEYS = {"/boot/efi": ("esp", 128), "/": ("slot", 256), "/var/lib/virtnode": ("state", 64)}
"""Mount point of a `part` command: the key of [install] in the node's configuration, and its least MiB."""
NODE_TOML = "usr/lib/virtnode/node.toml"
PLACE = "usr/lib/virtnode/boot"
SUMS = "SHA256SUMS"


def install_boot_set(root: Path, boot: BootFiles, kernel: Mapping[str, Path]) -> None:
    """Write boot.img, core.img and SHA256SUMS into `root`; `kernel` is kernel and initramfs by name.

    Kernel, initramfs, shim and GRUB for UEFI stay outside the root: each medium has them already.
    """
    folder = root / PLACE
    folder.mkdir(parents=True)
    (folder / "boot.img").write_bytes((boot.grub_bios / "boot.img").read_bytes())
    make_disk_core(boot.grub_bios, folder / "core.img")
    files = {
        **kernel,
        "shimx64.efi": boot.shim,
        "grubx64.efi": boot.grub_removable,
        "boot.img": folder / "boot.img",
        "core.img": folder / "core.img",
    }
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in sorted(files.items())
    )
    (folder / SUMS).write_text(sums)
    for path in folder.iterdir():
        path.chmod(0o644)


def install_keys(root: Path, place: str, keys: Sequence[PublicKey]) -> None:
    """Let an image trust these keys, about updates or about configurations as the place says."""
    folder = root / place
    for key in keys:
        folder.mkdir(mode=0o755, exist_ok=True)
        path = folder / f"{key.name}{SUFFIX}"
        path.write_text(key.pem)
        path.chmod(0o644)


def install_defaults(root: Path, config: ImageConfig) -> None:
    """Let installations from this image do what its kickstart says of disk, layout and end."""
    asked = {partition.mountpoint: partition.size for partition in config.partitions}
    rows = [
        f"{key} = {max(asked[mountpoint], least)}"
        for mountpoint, (key, least) in SIZE_KEYS.items()
        if mountpoint in asked
    ]
    words = {"rule": config.install_disk, "after": config.install_ends}
    rows += [f"{key} = {json.dumps(value)}" for key, value in words.items() if value]
    if config.install_erases:
        rows.append('wipe = ["contents"]')
    if config.thin_pool:
        rows.append("thin = true")
    if rows:
        path = root / NODE_TOML
        path.write_text("\n".join(["version = 1", "", "[install]", *rows]) + "\n")
        path.chmod(0o644)
