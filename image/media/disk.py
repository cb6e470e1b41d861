"""The disk image: the installed layout, ready to be written to a disk or started as a virtual machine."""

import json
import os
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from image.config import Partition
from image.media import Payload
from image.media.areas import DISK_ARGUMENTS, pack_arguments
from image.media.fat import CLUSTER_SLACK, make_fat
from image.media.grub import LIVE, SCREEN, make_core_image
from image.media.sparse import compress_sparse, read_sparse
from nodelib.config_area import AREA_FILE, ConfigArea, pack_area
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slot_menu import boot_identifier, disk_menu, environment_block, menu_stub, slot_config
from nodelib.slots import (
    BOOT_CODE,
    ESP,
    ESP_LABEL,
    MEBIBYTE,
    SLOT_A,
    STATE,
    STATE_LABEL,
    Region,
    bios_sectors,
    lay_out,
    table_script,
)

FIND_ESP = f"search --no-floppy --hint=hd0,gpt2 --set=root --label {ESP_LABEL}\nset prefix=($root)/grub\n"
"""The first disk is the one that the BIOS started: of two disks with this layout it is the right one."""
NAMESPACE = uuid.UUID("8f9f2f5e-6a0a-5d5e-9a8e-4b1d1c1b7a11")
"""What partitions' identifiers are derived from, with the image's label, so that a rebuild gives the same."""
MARKER = "virtnode/done"
"""The folder that says that a disk is whole; the file in it is called as the build is."""


def plan_regions(partitions: Sequence[Partition]) -> tuple[Region, ...]:
    """Lay out boot loader, two slots and state; the kickstart's `part` commands change sizes."""
    asked = {partition.mountpoint: partition.size for partition in partitions}
    return lay_out(
        {
            ESP: asked.get("/boot/efi", 256),
            SLOT_A: asked.get("/", 512),
            STATE: asked.get("/var/lib/virtnode", 256),
        }
    )


def make_disk(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write NAME.raw.zst and NAME.qcow2 into `output` and return their paths."""
    raw = workspace / f"{payload.name}.raw"
    regions = plan_regions(payload.partitions)
    write_partition_table(raw, regions, payload.label)
    by_name = {region.name: region for region in regions}
    write_bios_loader(payload, workspace, raw, by_name["bios"])
    esp = workspace / "esp.img"
    make_esp(payload, workspace, esp, by_name["esp"])
    copy_into(raw, esp, by_name["esp"])
    copy_into(raw, payload.rootfs, by_name["virtnode-a"])
    state = workspace / "state.img"
    make_state(state, by_name["virtnode-state"].size * MEBIBYTE, payload)
    copy_into(raw, state, by_name["virtnode-state"])
    compressed, qcow2 = output / f"{payload.name}.raw.zst", output / f"{payload.name}.qcow2"
    with ThreadPoolExecutor() as pool:
        converting = pool.submit(
            run, ["qemu-img", "convert", "-m", "1", "-f", "raw", "-O", "qcow2", raw, qcow2]
        )
        compress_sparse(raw, compressed)
        converting.result()
    for path in (raw, esp, state):
        path.unlink()
    return [compressed, qcow2]


def write_partition_table(raw: Path, regions: Sequence[Region], label: str) -> None:
    """Make `raw`, sparse, with a GPT whose identifiers come from `label`."""
    end = regions[-1].start + regions[-1].size + 1
    with raw.open("wb") as disk:
        disk.truncate(end * MEBIBYTE)
    identifiers = {region.name: _identifier(label, region.name) for region in regions}
    script = table_script(regions, _identifier(label, "disk"), identifiers, {})
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw], stdin=script)


def make_disk_core(modules: Path, core: Path) -> None:
    """Make GRUB's core image for a disk of this layout, which is the same for every disk."""
    make_core_image(modules, "i386-pc", "/grub", FIND_ESP, core)


def write_bios_loader(payload: Payload, workspace: Path, raw: Path, region: Region) -> None:
    """Write GRUB for BIOS: boot.img into the first sector, the core image into its partition."""
    core = workspace / "core.img"
    make_disk_core(payload.boot.grub_bios, core)
    first, image = bios_sectors(
        (payload.boot.grub_bios / "boot.img").read_bytes(), core.read_bytes(), region.start * 2048
    )
    with raw.open("r+b") as disk:
        disk.write(first[:BOOT_CODE])
        disk.seek(region.start * MEBIBYTE)
        disk.write(image)
    core.unlink()


def make_esp(payload: Payload, workspace: Path, esp: Path, region: Region) -> None:
    """Make the EFI system partition: signed boot loaders, the menu, and slot A's kernel and initramfs."""
    serial = int(_identifier(payload.label, ESP)[:8], 16)
    files = {
        "EFI/BOOT/BOOTX64.EFI": payload.boot.shim,
        "EFI/BOOT/grubx64.efi": payload.boot.grub_disk,
        "a/vmlinuz": payload.kernel,
        "a/initrd.img": payload.initramfs,
    }
    # The other slot has its own kernel and initramfs, once the node is updated.
    content = sum(source.stat().st_size for source in (*files.values(), payload.kernel, payload.initramfs))
    for number, (name, data) in enumerate(small_files(payload, serial).items()):
        files[name] = workspace / f"esp-{number}"
        files[name].write_bytes(data)
        content += len(data)
    if content * CLUSTER_SLACK > region.size * MEBIBYTE:
        raise region_too_small(region, int(content * CLUSTER_SLACK))
    size = region.size * MEBIBYTE
    make_fat(esp, files, label=ESP_LABEL, epoch=payload.epoch, size=size, serial=serial)


def small_files(payload: Payload, serial: int) -> dict[str, bytes]:
    """Lay out what the EFI system partition has beside programs: as an installation does, and the areas.

    `serial` is the partition's own.
    """
    identifier = boot_identifier(serial)
    arguments = (f"root=live:PARTLABEL={SLOT_A}", *LIVE, *payload.kernel_arguments, *SCREEN)
    build = payload.release.build_id
    marker = json.dumps({"build": build, "finished": True, "product": payload.title})
    return {
        f"EFI/{payload.boot.vendor}/grub.cfg": menu_stub(identifier).encode(),
        "grub/grub.cfg": disk_menu(identifier, payload.menu_timeout).encode(),
        "grub/grubenv": environment_block(slot="a"),
        "a/slot.cfg": slot_config(payload.title, arguments).encode(),
        f"{MARKER}/{build[:8].lower()}": marker.encode(),
        DISK_ARGUMENTS: pack_arguments(""),
        AREA_FILE: pack_area(ConfigArea()),
    }


def make_state(path: Path, size: int, payload: Payload) -> None:
    """Make the empty state partition, ext4, the same bytes every time."""
    identifier = _identifier(payload.label, "state-filesystem")
    environment = {"E2FSPROGS_FAKE_TIME": str(payload.epoch), "SOURCE_DATE_EPOCH": str(payload.epoch)}
    options = f"hash_seed={identifier},lazy_itable_init=1,nodiscard"
    with path.open("wb") as state:
        state.truncate(size)
    run(
        ["mke2fs", "-q", "-t", "ext4", "-L", STATE_LABEL, "-U", identifier, "-E", options, path],
        env=environment,
    )


def copy_into(raw: Path, content: Path, region: Region) -> None:
    """Copy a file system image into its partition, leaving holes where it has zeros."""
    size = content.stat().st_size
    if size > region.size * MEBIBYTE:
        raise region_too_small(region, size)
    offset = region.start * MEBIBYTE
    with raw.open("r+b") as target:
        for block in read_sparse(content):
            if block.count(0) != len(block):
                os.pwrite(target.fileno(), block, offset)
            offset += len(block)


def region_too_small(region: Region, size: int) -> VirtnodeError:
    """Say that a partition cannot hold what belongs in it, and how to change that."""
    needed = -(-size // MEBIBYTE)
    return VirtnodeError(
        Code.INVALID,
        f"partition {region.name} has {region.size} MiB, and {needed} MiB are needed",
        "give the part command of the kickstart a larger --size",
    )


def _identifier(label: str, name: str) -> str:
    return str(uuid.uuid5(NAMESPACE, json.dumps([label, name])))
