"""The ISO: one file that boots as a CD and as a USB stick, on BIOS and UEFI, Secure Boot included."""

import os
import shutil
from pathlib import Path

from image.media import Payload
from image.media.areas import ISO_ARGUMENTS, pack_arguments
from image.media.fat import make_fat
from image.media.grub import installed_entry, live_entries, make_core_image, menu_text
from nodelib.config_area import AREA_FILE, ConfigArea, pack_area
from nodelib.run import run

FIND_MEDIUM = """\
search --no-floppy --set=root --label {label}
set prefix=($root)/boot/grub
"""
EFI_SYSTEM_PARTITION = "28732ac11ff8d211ba4b00a0c93ec93b"
"""The GPT type of an EFI system partition, in xorriso's byte order."""
DATA_PARTITION = "a2a0d0ebe5b9334487c068b6b72699c7"


def make_iso(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write NAME.iso into `output` and return its path."""
    tree = workspace / "iso"
    lay_out_tree(payload, tree, workspace)
    efi = workspace / "efi.img"
    make_efi_image(payload, workspace, efi)
    iso = output / f"{payload.name}.iso"
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (payload.epoch, payload.epoch))
    run(xorriso_argv(payload, tree, efi, iso), env={"SOURCE_DATE_EPOCH": str(payload.epoch), "TZ": "UTC"})
    shutil.rmtree(tree)
    return [iso]


def lay_out_tree(payload: Payload, tree: Path, workspace: Path) -> None:
    """Lay out the ISO's files in `tree`; the root is a hard link, and what belongs to the cache a copy."""
    grub = tree / "boot/grub"
    grub.mkdir(parents=True)
    (tree / "LiveOS").mkdir()
    (tree / ".disk").mkdir()
    link_or_copy(payload.rootfs, tree / "LiveOS/squashfs.img")
    shutil.copyfile(payload.kernel, tree / "boot/vmlinuz")
    shutil.copyfile(payload.initramfs, tree / "boot/initrd.img")
    # Debian's signed GRUB takes for its root the file system that holds this file.
    (tree / ".disk/info").write_text(f"{payload.title}\n")
    entries = live_entries(payload.title, f"live:CDLABEL={payload.label}", payload.kernel_arguments)
    menu = menu_text(entries, timeout=payload.menu_timeout, folder="/boot", custom=f"/{ISO_ARGUMENTS}")
    (grub / "grub.cfg").write_text(menu + installed_entry(payload.label))
    (tree / ISO_ARGUMENTS).write_bytes(pack_arguments(""))
    (tree / AREA_FILE).parent.mkdir()
    (tree / AREA_FILE).write_bytes(pack_area(ConfigArea()))
    early = FIND_MEDIUM.format(label=payload.label)
    core = workspace / "eltorito.img"
    make_core_image(payload.boot.grub_bios, "i386-pc-eltorito", "/boot/grub", early, core)
    shutil.move(core, grub / "eltorito.img")


def make_efi_image(payload: Payload, workspace: Path, efi: Path) -> None:
    """Make the EFI system partition: shim, GRUB, and a menu that leads to the ISO's own."""
    stub = workspace / "efi-grub.cfg"
    stub.write_text(FIND_MEDIUM.format(label=payload.label) + "configfile $prefix/grub.cfg\n")
    files = {
        "EFI/BOOT/BOOTX64.EFI": payload.boot.shim,
        "EFI/BOOT/grubx64.efi": payload.boot.grub_removable,
        "EFI/BOOT/grub.cfg": stub,
    }
    make_fat(efi, files, label="VIRTNODE-EF", epoch=payload.epoch)


def xorriso_argv(payload: Payload, tree: Path, efi: Path, iso: Path) -> list[str | Path]:
    """Build xorriso's command line."""
    argv: list[str | Path] = ["xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "3", "-rational-rock"]
    argv += ["-volid", payload.label, "-partition_offset", "16"]
    argv += ["--grub2-mbr", payload.boot.grub_bios / "boot_hybrid.img", "--mbr-force-bootable"]
    argv += ["-append_partition", "2", EFI_SYSTEM_PARTITION, efi, "-appended_part_as_gpt"]
    argv += ["-iso_mbr_part_type", DATA_PARTITION]
    argv += ["-c", "boot.catalog", "-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4"]
    argv += ["-boot-info-table", "--grub2-boot-info"]
    argv += ["-eltorito-alt-boot", "-e", "--interval:appended_partition_2:::", "-no-emul-boot"]
    return [*argv, "-output", iso, tree]


def link_or_copy(source: Path, target: Path) -> None:
    """Give `source` a second name, or copy it where the file system cannot."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
