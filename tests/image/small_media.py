"""Makes small media of each kind for tests: right in every structure, and with nothing in them that boots."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

from nodelib.run import run
from tests.image.squashfs_images import make_squashfs

KERNEL_VERSION = "6.12.1-test"
SHIM = b"MZ\0\0sbat,1,SBAT\nshim,4,UEFI shim\n"
OS_RELEASE = """\
ID=virtnode
ID_LIKE="debian"
VERSION_CODENAME=trixie
IMAGE_ID=virtnode
IMAGE_VERSION="0.1.0"
BUILD_ID=ab12
"""
GRUB = """\
set timeout=5
set args="root=live:LABEL=X rd.live.image"
menuentry 'virtnode' --id node {
  linux /boot/vmlinuz $args quiet
  initrd /boot/initrd.img
}
menuentry "virtnode on ${port}" {
  linux /boot/vmlinuz ${args} \\
    console=ttyS0
}
"""
MIB = 2**20


def make_cpio(folder: Path, files: dict[str, bytes]) -> bytes:
    """Pack files with the real cpio."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    names = "\n".join(["usr", *files]).encode() + b"\n"
    argv = ["cpio", "--quiet", "-o", "-H", "newc"]
    return subprocess.run(argv, input=names, cwd=folder, capture_output=True, check=True).stdout


def make_kernel() -> bytes:
    """Make the header of a kernel that says its version."""
    header = bytearray(64 * 1024)
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x20E, 0x400)
    header[0x600 : 0x600 + 30] = f"{KERNEL_VERSION} (builder)".encode().ljust(30, b"\0")
    return bytes(header)


def make_root(folder: Path) -> Path:
    """Pack a root with os-release, a program, two kernel modules and a file that nobody lists."""
    root = folder / "root"
    modules = f"usr/lib/modules/{KERNEL_VERSION}/kernel/drivers"
    contents = {
        "usr/lib/os-release": OS_RELEASE,
        "usr/bin/tool": "tool " * 4000,
        f"{modules}/net/ethernet/nic.ko.xz": "nic " * 3000,
        f"{modules}/scsi/disk.ko": "disk " * 2000,
        "usr/lib/virtnode/agent.py": "agent " * 900,
    }
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    image = make_squashfs(root, folder / "rootfs.squashfs", "-comp", "xz")
    shutil.rmtree(root)
    return image


def make_esp(folder: Path, *, with_kernel: bool) -> Path:
    """Make a FAT file system with shim, GRUB and perhaps what they start."""
    image = folder / "esp.img"
    with image.open("wb") as file:
        file.truncate(2 * MIB)
    run(["mformat", "-i", image, "::"])
    run(["mmd", "-i", image, "::/EFI", "::/EFI/BOOT", "::/boot", "::/boot/grub"])
    files = {"EFI/BOOT/BOOTX64.EFI": SHIM, "EFI/BOOT/grubx64.efi": b"MZ\0\0sbat,1\ngrub,4\n"}
    if with_kernel:
        files |= {
            "boot/vmlinuz": make_kernel(),
            "boot/initrd.img": b"i" * 5000,
            "boot/grub/grub.cfg": GRUB.encode(),
        }
    for name, content in files.items():
        (folder / "file").write_bytes(content)
        run(["mcopy", "-i", image, folder / "file", f"::/{name}"])
    return image


def make_pxe(folder: Path) -> Path:
    """Make a folder for network boot."""
    pxe = folder / "pxe"
    pxe.mkdir()
    make_root(pxe)
    (pxe / "vmlinuz").write_bytes(make_kernel())
    (pxe / "initrd.img").write_bytes(b"i" * 5000)
    (pxe / "shimx64.efi").write_bytes(SHIM)
    (pxe / "grub.cfg").write_text(GRUB)
    return pxe


def make_iso(folder: Path) -> Path:
    """Make a hybrid ISO: El Torito for BIOS and UEFI, boot code and an appended EFI system partition."""
    tree = folder / "tree"
    (tree / "LiveOS").mkdir(parents=True)
    (tree / "boot/grub").mkdir(parents=True)
    make_root(tree).rename(tree / "LiveOS/squashfs.img")
    (tree / "boot/vmlinuz").write_bytes(make_kernel())
    (tree / "boot/initrd.img").write_bytes(b"i" * 5000)
    (tree / "boot/grub/grub.cfg").write_text(GRUB)
    (tree / "boot/grub/eltorito.img").write_bytes(b"b" * 4096)
    (folder / "mbr").write_bytes(b"m" * 432)
    esp = make_esp(folder, with_kernel=False)
    argv: list[str | Path] = [
        "xorriso",
        "-as",
        "mkisofs",
        "-quiet",
        "-V",
        "X",
        "-R",
        "-o",
        folder / "node.iso",
    ]
    argv += ["-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"]
    argv += ["-isohybrid-mbr", folder / "mbr", "-append_partition", "2", "0xef", esp, "-appended_part_as_gpt"]
    argv += ["-eltorito-alt-boot", "-e", "--interval:appended_partition_2:all::", "-no-emul-boot", tree]
    run(argv)
    shutil.rmtree(tree)
    return folder / "node.iso"


def make_disk(folder: Path) -> Path:
    """Make a raw disk with a BIOS boot partition, an EFI system partition and a slot with the root."""
    disk = folder / "node.raw"
    with disk.open("wb") as file:
        file.write(b"m" * 432)
        file.truncate(8 * MIB)
    table = """label: gpt
start=2048, size=1MiB, type=21686148-6449-6E6F-744E-656564454649, name=bios
start=4096, size=2MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
start=8192, size=2MiB, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name=virtnode-a
"""
    run(["sfdisk", "--quiet", disk], stdin=table)
    for start, image in ((2 * MIB, make_esp(folder, with_kernel=True)), (4 * MIB, make_root(folder))):
        with disk.open("r+b") as file:
            file.seek(start)
            file.write(image.read_bytes())
    return disk


def write_small_manifest(path: Path, *, packages: int) -> None:
    """Write a manifest with this many packages on the image, and one that was trimmed away."""
    identity = {
        "product": "virtnode",
        "version": "0.1.0",
        "architecture": "amd64",
        "base": "debian",
        "suite": "trixie",
        "plan": "ab12",
        "profile": "release",
        "source_date_epoch": 0,
    }
    package = {
        "name": "p",
        "version": "1",
        "architecture": "amd64",
        "licence": "MIT",
        "source": "p 1",
        "bytes": 1,
    }
    rows = [{**package, "files": 1}] * packages + [{**package, "files": 0}]
    empty: dict[str, list[object]] = {
        name: [] for name in ("repositories", "others", "drivers", "boot_packages", "artefacts")
    }
    path.write_text(json.dumps({"schema": 1, "identity": identity, "packages": rows, **empty}))
