"""USB drives: which can be written to, and that nothing half-written is left on one."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from nodeagent.usb_copy import Refused, copy_file
from nodeagent.usb_drives import COPIER, DRIVES_COMMAND, copier_argv, copy_to_drive, list_drives
from nodelib.bus_support import UsbDrive
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result
from tests.nodeagent.machines import Commands

DRIVE = UsbDrive("/dev/sdb1", "STICK", "vfat", 8_000_000_000)
STICK: dict[str, object] = {
    "path": "/dev/sdb",
    "type": "disk",
    "rm": True,
    "tran": "usb",
    "size": 8_000_000_001,
    "mountpoints": [None],
    "children": [
        {
            "path": "/dev/sdb1",
            "type": "part",
            "rm": True,
            "fstype": "vfat",
            "label": "STICK",
            "size": "8000000000",
            "mountpoints": [None],
        },
        {"path": "/dev/sdb2", "type": "part", "fstype": "ntfs", "size": 5, "mountpoints": [None]},
    ],
}


def commands(*devices: dict[str, object]) -> Commands:
    """Make a lsblk that knows some devices."""
    return Commands({DRIVES_COMMAND: {"blockdevices": list(devices)}})


def stick(**changes: object) -> dict[str, object]:
    """Make a stick whose first partition differs."""
    children = STICK["children"]
    assert isinstance(children, list)
    return {**STICK, "children": [{**children[0], **changes}]}


def test_file_systems_of_removable_disks_are_listed() -> None:
    """FAT, exFAT and ext4 of what is plugged in, on a partition or on the disk itself."""
    bare = {"path": "/dev/sdc", "type": "disk", "tran": "usb", "rm": False, "fstype": "exfat", "size": 7}
    reader = {"path": "/dev/mmcblk0", "type": "disk", "rm": "1", "fstype": "ext4", "label": "card", "size": 9}
    found = list_drives(commands(STICK, bare, reader))
    assert found == (DRIVE, UsbDrive("/dev/sdc", "", "exfat", 7), UsbDrive("/dev/mmcblk0", "card", "ext4", 9))


def test_lsblk_is_asked_for_a_tree() -> None:
    """It puts partitions into their disks only where the disks' names are asked for, too."""
    assert "NAME" in DRIVES_COMMAND[-1].split(",")


@pytest.mark.parametrize(
    "device",
    [
        {**STICK, "rm": False, "tran": "sata"},
        {**STICK, "type": "rom"},
        stick(fstype="ntfs"),
        stick(mountpoints=["/run/initramfs/live"]),
        stick(label="VIRTNODE-12345678"),
        stick(label="virtnode-state"),
        stick(partlabel="virtnode-a"),
        {**STICK, "fstype": "iso9660", "label": "VIRTNODE-12345678"},
        stick(children=[{"path": "/dev/dm-0", "type": "crypt", "mountpoints": ["/srv"]}]),
    ],
)
def test_what_the_node_needs_is_no_drive(device: dict[str, object]) -> None:
    """Disks that are built in, the boot medium, the state disk, and whatever is mounted."""
    assert list_drives(commands(device)) == ()
    with pytest.raises(VirtnodeError, match="no USB drive") as caught:
        copy_to_drive("", Path("x"), commands(device))
    assert caught.value.code is Code.NOT_FOUND


def test_a_drive_is_chosen_and_never_guessed() -> None:
    """The only one without a name, the named one, and no path that is none of them."""
    second = json.loads(json.dumps(STICK).replace("/dev/sdb", "/dev/sdc"))
    ran: list[Sequence[str]] = []

    def unit(argv: Sequence[str]) -> Result:
        ran.append(argv)
        return Result(tuple(argv), 0, '{"name": "a.tar.gz"}', "")

    assert copy_to_drive("", Path("/run/a.tar.gz"), commands(STICK), unit) == (DRIVE, "a.tar.gz")
    copy_to_drive("/dev/sdc1", Path("/run/a.tar.gz"), commands(STICK, second), unit)
    assert [argv[-3:] for argv in ran] == [
        ("/dev/sdb1", "vfat", "/run/a.tar.gz"),
        ("/dev/sdc1", "vfat", "/run/a.tar.gz"),
    ]
    with pytest.raises(VirtnodeError, match="more than one") as caught:
        copy_to_drive("", Path("x"), commands(STICK, second), unit)
    assert (caught.value.code, caught.value.hint) == (Code.CONFLICT, "name one of /dev/sdb1, /dev/sdc1")
    for device in ("/dev/sda1", "/dev/sdb2", "/dev/sdb1 -o exec"):
        with pytest.raises(VirtnodeError, match="is no USB drive"):
            copy_to_drive(device, Path("x"), commands(STICK), unit)
    assert len(ran) == 2


def test_the_unit_has_its_mounts_for_itself_and_ends() -> None:
    """A transient unit: the agent's own sandbox knows no mounts."""
    argv = copier_argv(DRIVE, Path("/run/a.tar.gz"))
    assert argv[:5] == ("systemd-run", "--quiet", "--wait", "--collect", "--pipe")
    assert {"--property=PrivateMounts=yes", "--property=RuntimeMaxSec=180"} < set(argv)
    assert argv[argv.index("--") + 1 :] == (
        sys.executable, "-I", str(COPIER), "/dev/sdb1", "vfat", "/run/a.tar.gz",
    )  # fmt: skip


def ending_with(printed: str) -> Callable[[Sequence[str]], Result]:
    """Make a unit that fails, and what it printed."""
    return lambda argv: Result(tuple(argv), 1, printed, "")


def test_a_unit_that_fails_is_one_line() -> None:
    """The copier's own words, or a plain sentence where it died."""
    said = '{"problem": "the drive is read-only", "hint": "move its switch"}'
    for printed, words in ((said, "/dev/sdb1: the drive is read-only"), ("Killed", "could not be written")):
        with pytest.raises(VirtnodeError, match=words) as caught:
            copy_to_drive("", Path("x"), commands(STICK), ending_with(printed))
        assert caught.value.code is Code.FAILED
        assert caught.value.hint


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Make a file to copy."""
    path = tmp_path / "virtnode-support-node1.tar.gz"
    path.write_bytes(os.urandom(200_000))
    return path


def test_a_file_is_copied_whole(tmp_path: Path, source: Path) -> None:
    """Under its own name, with nothing beside it; leftovers of an earlier try are gone."""
    folder = tmp_path / "drive"
    folder.mkdir()
    (folder / ".virtnode-support-old.tar.gz.part").write_bytes(b"half")
    assert copy_file(source, folder) == source.name
    assert [path.name for path in folder.iterdir()] == [source.name]
    assert (folder / source.name).read_bytes() == source.read_bytes()


def test_a_drive_that_vanishes_is_told(tmp_path: Path, source: Path) -> None:
    """Whatever the kernel says of it is a sentence with a hint."""
    with pytest.raises(Refused) as caught:
        copy_file(source, tmp_path / "gone")
    assert "cannot be written" in caught.value.args[0]


MOUNTING = """
import subprocess, sys
from pathlib import Path
from nodeagent.usb_copy import Refused, copy_file
subprocess.run(["mount", "-t", "tmpfs", "-o", sys.argv[1], "none", sys.argv[2]], check=True)
folder = Path(sys.argv[2])
try:
    print(copy_file(Path(sys.argv[3]), folder))
except Refused as refused:
    print(refused.args[0])
print(len(list(folder.iterdir())))
"""


@pytest.mark.integration
@pytest.mark.parametrize(
    ("options", "words", "left"),
    [("size=1m", "virtnode-support-node1.tar.gz", 1), ("size=128k", "no room", 0), ("ro", "read-only", 0)],
)
def test_a_file_system_that_cannot_take_it_says_so(
    tmp_path: Path, source: Path, options: str, words: str, left: int
) -> None:
    """A real one: full, read-only, and one that takes it; nothing half-written is left."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    argv = ["unshare", "--mount", sys.executable, "-c", MOUNTING, options, str(folder), str(source)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    said, count = done.stdout.splitlines()
    assert words in said
    assert int(count) == left


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[str]:
    """Make a device with ext4 on it."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", str(image)], check=True)
    attached = subprocess.run(
        ["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False
    )
    if attached.returncode:
        pytest.skip("this machine gives no loop device")
    device = attached.stdout.strip()
    yield device
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.integration
def test_the_program_mounts_writes_and_unmounts(loop: str, tmp_path: Path, source: Path) -> None:
    """A real file system on a real device, in a mount namespace of its own as the unit has it."""

    def copy(*words: str) -> tuple[int, dict[str, str]]:
        argv = ["unshare", "--mount", sys.executable, "-I", str(COPIER), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    assert copy(loop, "ext4", str(source)) == (0, {"name": source.name})
    listing = ["debugfs", "-R", f"dump /{source.name} {tmp_path / 'back'}", loop]
    subprocess.run(listing, capture_output=True, check=True)
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    status, said = copy(str(tmp_path / "absent"), "ext4", str(source))
    assert (status, "cannot be mounted" in said["problem"]) == (1, True)
    assert loop not in Path("/proc/mounts").read_text()
