"""A node on two disks: installed, updated, started without either, and whole again."""

import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.netboot import serve_folder
from tests.vm.guest import Boot, Guest, Hardware, kernel_boot, switched_on, wait_until
from tests.vm.joining import short_folder
from tests.vm.recipes import recipe
from tests.vm.test_install import DISK_BYTES, INSTALL_SECONDS, wait_for_agent
from tests.vm.test_update import BEGIN_UPDATE, KEPT_SECONDS, booted_slot, serve_bundle, trust, wait_for_state

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(7200)]

SYNC_SECONDS = 900.0
STATE = "/var/lib/virtnode"


@dataclass(frozen=True)
class Pair:
    """Two disks, and the machine that they are in, or one of them."""

    folder: Path
    accelerator: Accelerator
    disks: tuple[Path, Path]

    def machine(self, disks: Sequence[Path], boot: Sequence[str] = ()) -> Guest:
        """Lay out the machine with these disks; its firmware tries the first of them."""
        words = [*boot]
        for number, disk in enumerate(disks):
            words += ["-drive", f"if=none,id={disk.stem},format=raw,file={disk}"]
            place = f"addr={0x1B + number:#x}"
            words += ["-device", f"virtio-blk-pci,drive={disk.stem},serial={disk.stem},{place}"]
        return Guest(Hardware(self.folder, str(uuid.uuid4())), Boot(tuple(words)), self.accelerator)


@pytest.fixture
def pair(accelerator: Accelerator, tmp_path: Path) -> Iterator[Pair]:
    """Make two blank disks."""
    with short_folder(tmp_path) as folder:
        yield Pair(folder, accelerator, (blank(folder / "disk-1.img"), blank(folder / "disk-2.img")))


def blank(path: Path) -> Path:
    """Make a blank disk."""
    with path.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    return path


def warnings(node: Guest) -> list[str]:
    """Ask what somebody should look after."""
    found = json.loads(node.run("virtnodectl status --json"))["status"]["warnings"]
    return [one["text"] for one in found if "disk" in one["text"]]


def install(pair: Pair, artefacts: Path, evidence: Path) -> None:
    """Install to both disks, with a thin pool."""
    medium = kernel_boot(artefacts, pair.folder, ("node.install=ask",))
    with switched_on(pair.machine(pair.disks, medium.options), evidence) as node:
        wait_for_agent(node)
        names = {"/dev/sda": "serial:disk-1", "/dev/sdb": "serial:disk-2"}
        assert "disk-2" in node.run(recipe("install.md", "virtnodectl install plan /dev/sda --mirror", names))
        command = recipe("install.md", "virtnodectl install run /dev/sda --mirror", names)
        said = node.run(f"{command} --thin --confirm 'sk-1 sk-2'", seconds=INSTALL_SECONDS)
        assert "installed to" in said


def wait_until_whole(node: Guest) -> None:
    """Wait until nothing is said of the disks, and the kernel has both copies of everything."""
    wait_for_agent(node)

    def is_whole() -> bool:
        lines = node.run("dmsetup status --target raid").splitlines()
        return len(lines) == 3 and all(" AA " in line for line in lines) and not warnings(node)

    wait_until(is_whole, SYNC_SECONDS, "two disks that are equal", pause=5.0)


def test_a_node_starts_from_either_disk(pair: Pair, artefacts: Path, tmp_path: Path, update_key: str) -> None:
    """State, pool and the update that came meanwhile are there, whichever disk is gone."""
    evidence, served = tmp_path / "evidence", tmp_path / "served"
    first, second = pair.disks
    install(pair, artefacts, evidence)
    with switched_on(pair.machine(pair.disks), evidence) as node:
        wait_until_whole(node)
        assert "-state-state" in node.run(f"findmnt -n -o SOURCE {STATE}")
        group = node.run("vgs --noheadings -o vg_name").split()[0].removesuffix("-state")
        node.run(f"lvcreate --yes --virtualsize 1G --thinpool {group}/guests --name disk1")
        node.run(f"mke2fs -q -t ext4 /dev/{group}/disk1 && touch {STATE}/from-both && sync")
        assert node.run("systemctl --failed --no-legend --plain").strip() == ""
    with switched_on(pair.machine([second]), evidence) as node:
        wait_for_agent(node)
        wait_until(lambda: bool(warnings(node)), SYNC_SECONDS, "a warning")
        assert "the second disk of this node is missing" in warnings(node)
        assert "the state is on one disk alone" in warnings(node)
        node.run(f"test -e {STATE}/from-both && blkid /dev/{group}/disk1 && touch {STATE}/from-2 && sync")
    with switched_on(pair.machine(pair.disks), evidence) as node:
        wait_until_whole(node)
        served.mkdir()
        with serve_folder(served) as port:
            node.run(trust(update_key))
            bundle = serve_bundle(artefacts, served, port, node, "next")
            node.run(f"{BEGIN_UPDATE} {bundle}")
            wait_for_state(node, "next", "kept", KEPT_SECONDS)
        wait_until_whole(node)
    with switched_on(pair.machine([first]), evidence) as node:
        wait_for_agent(node)
        assert booted_slot(node) == "b"
        node.run(f"test -e {STATE}/from-2 && test -e {STATE}/from-both && blkid /dev/{group}/disk1")


def test_a_new_disk_becomes_the_second_one(pair: Pair, artefacts: Path, tmp_path: Path) -> None:
    """A new disk takes the place of a dead one while the node runs; a new system keeps what both hold."""
    evidence = tmp_path / "evidence"
    first, _ = pair.disks
    third = blank(pair.folder / "disk-3.img")
    install(pair, artefacts, evidence)
    with switched_on(pair.machine([first, third]), evidence) as node:
        wait_for_agent(node)
        wait_until(lambda: bool(warnings(node)), SYNC_SECONDS, "a warning")
        names = {"/dev/sdb": "serial:disk-3"}
        assert "disk-3" in node.run(recipe("install.md", "virtnodectl install plan /dev/sdb --repair", names))
        command = recipe("install.md", "virtnodectl install run /dev/sdb --repair", names)
        node.run(f"{command} --confirm sk-3", seconds=INSTALL_SECONDS)
        wait_until_whole(node)
        group = node.run("vgs --noheadings -o vg_name").split()[0].removesuffix("-state")
        node.run(f"lvcreate --yes --virtualsize 1G --thinpool {group}/guests --name disk1")
        node.run(f"mke2fs -q -t ext4 /dev/{group}/disk1 && touch {STATE}/from-both && sync")
    with switched_on(pair.machine([third]), evidence) as node:
        wait_for_agent(node)
        node.run(f"test -e {STATE}/from-both && blkid /dev/{group}/disk1")
    reinstall(pair, [first, third], artefacts, evidence)
    for disks in ([first, third], [first], [third, first]):
        with switched_on(pair.machine(disks), evidence) as node:
            if len(disks) > 1:
                wait_until_whole(node)
            wait_for_agent(node)
            node.run(f"test -e {STATE}/from-both && blkid /dev/{group}/disk1")
            assert node.run("systemctl --failed --no-legend --plain").strip() == ""


def reinstall(pair: Pair, disks: Sequence[Path], artefacts: Path, evidence: Path) -> None:
    """Install once more over both disks, and keep what they hold of the node."""
    medium = kernel_boot(artefacts, pair.folder, ("node.install=ask",))
    with switched_on(pair.machine(disks, medium.options), evidence) as node:
        wait_for_agent(node)
        command = "virtnodectl install run serial:disk-1 --keep"
        said = node.run(f"{command} --confirm 'sk-1 sk-3'", seconds=INSTALL_SECONDS)
        assert "installed to" in said
