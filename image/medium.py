"""Opens a finished artefact of any kind, and says where on it each part lies; nothing is mounted."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from image.bundle import is_bundle, read_bundle
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.update_bundle import ROOT_IMAGE

ISO_SQUASHFS = "/LiveOS/squashfs.img"
PXE_SQUASHFS = "rootfs.squashfs"
SLOT_NAME = "virtnode-a"
"""The GPT name of the partition that holds a disk's root file system."""

ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
SECTOR = 512
ISO_BLOCK = 2048

_COPY_AGAIN = "compare it with SHA256SUMS, or copy it again"
_LISTED_FILE = re.compile(r"File data lba:\s*\d+ ,\s*(\d+) ,\s*\d+ ,\s*(\d+) , '(.*)'")


class Kind(StrEnum):
    """What an artefact is, by its content and not by its name."""

    ISO = "iso"
    DISK = "disk"
    PXE = "pxe"
    SQUASHFS = "squashfs"
    UPDATE = "update"


@dataclass(frozen=True)
class StoredFile:
    """A file on the medium: `size` bytes, from `offset` on in `source`, stored as they are."""

    path: str
    size: int
    source: Path
    offset: int = 0

    def read(self, size: int | None = None) -> bytes:
        """Read the file from its start, or only its first `size` bytes."""
        with self.source.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size if size is None else min(size, self.size))


@dataclass(frozen=True)
class Partition:
    """A GPT or MBR partition; start and length in bytes."""

    name: str
    type: str
    start: int
    bytes: int


@dataclass(frozen=True)
class Medium:
    """An opened artefact: its files are outside of the root file system, which `squashfs` is."""

    path: Path
    kind: Kind
    bytes: int
    """What the artefact takes as it is kept or downloaded."""
    raw: Path
    """The artefact itself, or what it unpacks to."""
    squashfs: StoredFile
    files: tuple[StoredFile, ...] = ()
    partitions: tuple[Partition, ...] = ()


@contextmanager
def open_medium(path: Path) -> Iterator[Medium]:
    """Open an ISO, disk image (raw, raw.zst, qcow2), PXE folder, squashfs, update bundle or out folder."""
    artefact = find_artefact(path)
    with tempfile.TemporaryDirectory(prefix="virtnode-", dir="/var/tmp") as directory:
        yield _open(artefact, Path(directory))


def find_artefact(path: Path) -> Path:
    """Return the artefact that a path means: itself, or the one to look at in a build's output folder."""
    if not path.exists():
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no {path}", "give an artefact, or the folder they are in"
        )
    if not path.is_dir() or (path / PXE_SQUASHFS).exists():
        return path
    for pattern in (
        "*.iso",
        f"pxe/{PXE_SQUASHFS}",
        "*.raw.zst",
        "*.qcow2",
        "*.raw",
        "*.squashfs",
        "*.update",
    ):
        found = sorted(path.glob(pattern))
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise VirtnodeError(Code.CONFLICT, f"{path} has several artefacts: {names}", "name one of them")
        if found:
            return found[0].parent if found[0].name == PXE_SQUASHFS else found[0]
    raise VirtnodeError(Code.NOT_FOUND, f"{path} has no artefact", "build writes them to its --out folder")


def find_beside(artefact: Path, name: str) -> Path | None:
    """Find a file that the build wrote beside an artefact, or one folder up from pxe/; None when absent."""
    folder = artefact.resolve() if artefact.is_dir() else artefact.resolve().parent
    folders = [folder, folder.parent] if folder.name == Kind.PXE else [folder]
    return next((place / name for place in folders if (place / name).exists()), None)


def read_partitions(raw: Path) -> tuple[Partition, ...]:
    """Read a raw image's partition table; none when it has no table."""
    result = run(["sfdisk", "--json", raw], check=False)
    if result.status != 0:
        return ()
    table = json.loads(result.stdout)["partitiontable"]
    sector = int(table.get("sectorsize", SECTOR))
    return tuple(
        Partition(entry.get("name", ""), entry["type"], entry["start"] * sector, entry["size"] * sector)
        for entry in table.get("partitions", [])
    )


def copy_fat_files(raw: Path, offset: int, destination: Path) -> tuple[StoredFile, ...]:
    """Copy all files of the FAT file system that starts `offset` bytes into `raw`."""
    destination.mkdir(parents=True, exist_ok=True)
    run(
        ["mcopy", "-s", "-n", "-Q", "-i", f"{raw}@@{offset}", "::/", destination],
        env={"MTOOLS_SKIP_CHECK": "1"},
    )
    return _files_of_folder(destination)


def _open(path: Path, workspace: Path) -> Medium:
    if path.is_dir():
        files = _files_of_folder(path)
        size = sum(file.size for file in files)
        return Medium(path, Kind.PXE, size, path, _squashfs_among(files, f"/{PXE_SQUASHFS}", path), files)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(SECTOR + 8)
        file.seek(16 * ISO_BLOCK)
        descriptor = file.read(6)
    if start.startswith(b"hsqs"):
        return Medium(path, Kind.SQUASHFS, size, path, StoredFile("/", size, path))
    if descriptor[1:] == b"CD001":
        return _open_iso(path, size)
    if start.startswith(b"QFI\xfb"):
        return _open_disk(
            path, size, _unpack(path, ["qemu-img", "convert", "-O", "raw", path], workspace), workspace
        )
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        raw = _unpack(path, ["zstd", "--quiet", "--decompress", "--sparse", path, "-o"], workspace)
        return _open_disk(path, size, raw, workspace)
    if start[SECTOR:].startswith(b"EFI PART"):
        return _open_disk(path, size, path, workspace)
    if is_bundle(start):
        return _open_bundle(path, size)
    message = f"{path} is neither an ISO, a disk image, a squashfs nor an update bundle"
    raise VirtnodeError(Code.INVALID, message, _COPY_AGAIN)


def _open_iso(path: Path, size: int) -> Medium:
    argv: list[str | Path] = [
        "xorriso",
        "-indev",
        path,
        "-find",
        "/",
        "-type",
        "f",
        "-exec",
        "report_lba",
        "--",
    ]
    result = run(argv, check=False)
    found = [_LISTED_FILE.fullmatch(line.rstrip()) for line in result.stdout.splitlines()]
    files = tuple(
        StoredFile(match[3], int(match[2]), path, int(match[1]) * ISO_BLOCK) for match in found if match
    )
    if result.status != 0 or any(file.offset + file.size > size for file in files):
        raise VirtnodeError(Code.INVALID, f"{path} is a damaged or truncated ISO image", _COPY_AGAIN)
    squashfs = _squashfs_among(files, ISO_SQUASHFS, path)
    return Medium(path, Kind.ISO, size, path, squashfs, files, read_partitions(path))


def _open_disk(path: Path, size: int, raw: Path, workspace: Path) -> Medium:
    partitions = read_partitions(raw)
    slot = next((partition for partition in partitions if partition.name == SLOT_NAME), None)
    if slot is None:
        message = f"{path} has no partition {SLOT_NAME}"
        raise VirtnodeError(Code.INVALID, message, "only disk images of virtnode-image can be looked into")
    if raw.stat().st_size < slot.start + slot.bytes:
        raise VirtnodeError(Code.INVALID, f"{path} is a truncated disk image", _COPY_AGAIN)
    files: tuple[StoredFile, ...] = ()
    for partition in partitions:
        if partition.type == ESP_TYPE:
            files += copy_fat_files(raw, partition.start, workspace / "esp")
    return Medium(path, Kind.DISK, size, raw, StoredFile("/", slot.bytes, raw, slot.start), files, partitions)


def _open_bundle(path: Path, size: int) -> Medium:
    members = read_bundle(path).members
    files = tuple(StoredFile(f"/{member.name}", member.size, path, member.offset) for member in members)
    return Medium(path, Kind.UPDATE, size, path, _squashfs_among(files, f"/{ROOT_IMAGE}", path), files)


def _unpack(path: Path, argv: list[str | Path], workspace: Path) -> Path:
    raw = workspace / "disk.raw"
    result = run([*argv, raw], check=False)
    if result.status != 0:
        raise VirtnodeError(Code.INVALID, f"{path} is a damaged or truncated disk image", _COPY_AGAIN)
    return raw


def _squashfs_among(files: tuple[StoredFile, ...], name: str, path: Path) -> StoredFile:
    for file in files:
        if file.path == name:
            return file
    message = f"{path} has no {name}"
    raise VirtnodeError(Code.INVALID, message, "only images of virtnode-image can be looked into")


def _files_of_folder(folder: Path) -> tuple[StoredFile, ...]:
    return tuple(
        StoredFile(f"/{path.relative_to(folder).as_posix()}", path.stat().st_size, path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
