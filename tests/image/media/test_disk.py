"""The disk image: its layout, read back with sfdisk, mtools and debugfs."""

import dataclasses
import itertools
import json
import struct
from pathlib import Path

import pytest

from image.config import Partition
from image.media.disk import (
    copy_into,
    make_disk,
    make_esp,
    make_state,
    plan_regions,
    small_files,
    write_bios_loader,
    write_partition_table,
)
from nodeagent.install.marker import Marker, read_marker
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slots import (
    BIOS_BOOT,
    EFI_SYSTEM,
    ESP_LABEL,
    LINUX_DATA,
    LINUX_ROOT,
    MEBIBYTE,
    Region,
    bios_sectors,
)
from tests.conftest import Golden
from tests.image.payloads import LABEL, make_payload, need_grub

SMALL = (Partition("/", 8), Partition("/boot/efi", 8), Partition("/var/lib/virtnode", 8))


def test_regions_follow_one_another() -> None:
    """Boot loader, two slots and state, aligned to MiB, without holes."""
    regions = plan_regions(())
    assert [region.name for region in regions] == [
        "bios",
        "esp",
        "virtnode-a",
        "virtnode-b",
        "virtnode-state",
    ]
    for before, after in itertools.pairwise(regions):
        assert before.start + before.size == after.start
    assert regions[0].start == 1


def test_part_commands_change_sizes() -> None:
    """Both slots have the size of /, so that either holds an image."""
    sizes = {
        region.name: region.size for region in plan_regions((Partition("/", 777), Partition("/boot/efi", 99)))
    }
    assert (sizes["virtnode-a"], sizes["virtnode-b"], sizes["esp"]) == (777, 777, 99)


def read_table(raw: Path) -> dict[str, object]:
    """Read a partition table with sfdisk."""
    table: dict[str, object] = json.loads(run(["sfdisk", "--json", raw]).stdout)["partitiontable"]
    return table


def test_sfdisk_reads_the_table_back(tmp_path: Path) -> None:
    """Types, names, places and sizes are as planned, and the table is sound."""
    raw = tmp_path / "disk.raw"
    regions = plan_regions(SMALL)
    write_partition_table(raw, regions, LABEL)
    table = read_table(raw)
    partitions = table["partitions"]
    assert isinstance(partitions, list)
    assert table["label"] == "gpt"
    assert [entry["type"] for entry in partitions] == [
        BIOS_BOOT,
        EFI_SYSTEM,
        LINUX_ROOT,
        LINUX_ROOT,
        LINUX_DATA,
    ]
    for region, entry in zip(regions, partitions, strict=True):
        assert (entry["name"], entry["start"] // 2048, entry["size"] // 2048) == (
            region.name,
            region.start,
            region.size,
        )
    assert "No errors detected" in run(["sfdisk", "--verify", raw]).stdout


def test_identifiers_come_from_the_label(tmp_path: Path) -> None:
    """A rebuild has the same identifiers, another image others, and all are unique."""
    seen = []
    for name, label in (("a", LABEL), ("b", LABEL), ("c", "VIRTNODE-FFFFFFFF")):
        write_partition_table(tmp_path / name, plan_regions(SMALL), label)
        table = read_table(tmp_path / name)
        partitions = table["partitions"]
        assert isinstance(partitions, list)
        seen.append([str(table["id"]), *(entry["uuid"] for entry in partitions)])
    assert seen[0] == seen[1]
    assert len({*seen[0], *seen[2]}) == 2 * len(seen[0])


def test_boot_sectors_find_each_other() -> None:
    """boot.img names the core image's first sector, and that names its second."""
    first, core = bios_sectors(bytes(512), bytes(1024), 2048)
    assert struct.unpack_from("<Q", first, 0x5C)[0] == 2048
    assert first[0x66:0x68] == b"\x90\x90"
    assert struct.unpack_from("<Q", core, 0x1F4)[0] == 2049


def test_the_boot_loader_leaves_the_partition_table_alone(tmp_path: Path) -> None:
    """After GRUB is written, sfdisk reads the same table."""
    need_grub()
    raw = tmp_path / "disk.raw"
    regions = plan_regions(SMALL)
    write_partition_table(raw, regions, LABEL)
    before = read_table(raw)
    write_bios_loader(make_payload(tmp_path / "payload"), tmp_path, raw, regions[0])
    assert read_table(raw) == before
    assert raw.read_bytes()[:3].startswith(b"\xeb")


def test_the_menu_of_a_disk_is_as_reviewed(golden: Golden, tmp_path: Path) -> None:
    """That of an installed disk, with the arguments of slot A beside it; there is nothing to install."""
    files = small_files(make_payload(tmp_path), 0x0123ABCD)
    golden("media/disk-grub.cfg", files["grub/grub.cfg"].decode())
    golden("media/disk-slot.cfg", files["a/slot.cfg"].decode())
    golden("media/disk-stub.cfg", files["EFI/debian/grub.cfg"].decode())
    assert files["grub/grubenv"].startswith(b"# GRUB Environment Block\nslot=a\n#")


def test_a_disk_image_is_marked_as_an_installed_disk(tmp_path: Path) -> None:
    """The agent finds the same marker there, on FAT of either width."""
    for size in (8, 256):
        esp = tmp_path / "esp.img"
        make_esp(make_payload(tmp_path / "payload"), tmp_path, esp, Region("esp", EFI_SYSTEM, 1, size))
        assert read_marker(esp, 0) == Marker("virtnode 0.1.0", "0123abcd4567ef89", finished=True)
        names = run(["mdir", "-b", "-i", esp, "::virtnode/done"]).stdout.split()
        assert names == ["::/virtnode/done/0123abcd"]


def test_the_menu_finds_its_own_partition(tmp_path: Path) -> None:
    """By an identifier that comes from the label, as those of the partition table do."""
    esp, serials = tmp_path / "esp.img", []
    for label in (LABEL, "VIRTNODE-FFFFFFFF", LABEL):
        payload = dataclasses.replace(make_payload(tmp_path / "payload"), label=label)
        make_esp(payload, tmp_path, esp, Region("esp", EFI_SYSTEM, 1, 8))
        serial = run(["minfo", "-i", esp]).stdout.partition("serial number:")[2].split()[0]
        serials.append(f"{serial[:4]}-{serial[4:]}".upper())
        for name in ("grub/grub.cfg", "EFI/debian/grub.cfg"):
            menu = run(["mtype", "-i", esp, f"::{name}"]).stdout
            assert f"search --no-floppy --fs-uuid --set=root {serials[-1]}\n" in menu
    assert serials[0] == serials[2] != serials[1]


def test_an_esp_holds_the_chain_and_the_slot(tmp_path: Path) -> None:
    """Signed loaders, the menu, slot A's kernel and initramfs, and room for those of slot B."""
    esp = tmp_path / "esp.img"
    payload = make_payload(tmp_path / "payload")
    make_esp(payload, tmp_path, esp, Region("esp", EFI_SYSTEM, 1, 8))
    assert esp.stat().st_size == 8 * MEBIBYTE
    listing = run(["mdir", "-/", "-b", "-i", esp, "::"]).stdout.splitlines()
    assert {line.removeprefix("::/") for line in listing if not line.endswith("/")} == {
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/BOOT/grubx64.efi",
        "EFI/debian/grub.cfg",
        "grub/grub.cfg",
        "grub/custom.cfg",
        "grub/grubenv",
        "virtnode/config.img",
        "a/vmlinuz",
        "a/initrd.img",
        "a/slot.cfg",
        "virtnode/done/0123abcd",
    }
    assert ESP_LABEL in run(["mlabel", "-s", "-i", esp, "::"]).stdout


def test_an_esp_too_small_names_the_partition(tmp_path: Path) -> None:
    """The error says how much two slots need and what to change."""
    payload = make_payload(tmp_path / "payload")
    (tmp_path / "payload/kernel").write_bytes(bytes(3 * MEBIBYTE))
    with pytest.raises(VirtnodeError, match="partition esp has 4 MiB, and 7 MiB are needed") as caught:
        make_esp(payload, tmp_path, tmp_path / "esp.img", Region("esp", EFI_SYSTEM, 1, 4))
    assert caught.value.code is Code.INVALID
    assert "--size" in caught.value.hint


def test_a_root_too_large_for_its_slot_is_refused(tmp_path: Path) -> None:
    """Nothing is written past a partition's end."""
    content = tmp_path / "content"
    content.write_bytes(b"x" * (2 * MEBIBYTE + 1))
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(MEBIBYTE))
    with pytest.raises(VirtnodeError, match="partition virtnode-a has 2 MiB, and 3 MiB are needed"):
        copy_into(raw, content, Region("virtnode-a", LINUX_ROOT, 1, 2))
    assert raw.read_bytes() == bytes(MEBIBYTE)


def test_the_state_partition_is_the_same_every_time(tmp_path: Path) -> None:
    """ext4, empty, with the label that the node looks for; a rebuild has the same bytes."""
    payload = make_payload(tmp_path / "payload")
    for name in ("a", "b"):
        make_state(tmp_path / name, 8 * MEBIBYTE, payload)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "virtnode-state" in run(["dumpe2fs", "-h", tmp_path / "a"]).stdout


@pytest.mark.integration
def test_a_disk_is_whole_and_repeatable(tmp_path: Path) -> None:
    """Both formats hold the same disk; slot A has the root, slot B nothing."""
    need_grub()
    raws = []
    for name in ("one", "two"):
        work, out = tmp_path / name / "work", tmp_path / name / "out"
        work.mkdir(parents=True)
        out.mkdir()
        payload = make_payload(tmp_path / name / "payload", partitions=SMALL)
        compressed, qcow2 = make_disk(payload, work, out)
        run(["zstd", "-q", "-d", compressed, "-o", out / "raw"])
        run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", out / "raw", qcow2])
        raws.append((out / "raw").read_bytes())
        assert compressed.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert raws[0] == raws[1]
    regions = {region.name: region for region in plan_regions(SMALL)}
    slot = raws[0][regions["virtnode-a"].start * MEBIBYTE :][: 8 * MEBIBYTE]
    assert slot.startswith(payload.rootfs.read_bytes())
    spare = raws[0][regions["virtnode-b"].start * MEBIBYTE :][: 8 * MEBIBYTE]
    assert spare == bytes(8 * MEBIBYTE)
