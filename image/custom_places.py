"""Where a finished medium keeps what `customize` writes: ranges of fixed size, or a PXE folder's menus."""

import hashlib
import os
import re
import shutil
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from image.bundle import is_bundle
from image.custom_arguments import MENUS, read_menu_arguments, set_menu_arguments
from image.media.areas import (
    ARGUMENTS_MARK,
    ARGUMENTS_SIZE,
    DISK_ARGUMENTS,
    ISO_ARGUMENTS,
    MENU_VARIABLE,
    PXE_ARCHIVE,
    pack_arguments,
    read_arguments,
)
from image.medium import (
    ESP_TYPE,
    ISO_BLOCK,
    PXE_SQUASHFS,
    SECTOR,
    Kind,
    Medium,
    open_medium,
    read_partitions,
)
from nodelib.config_area import AREA_FILE, AREA_SIZE, MAGIC, ConfigArea, pack_area, parse_area
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

PIECE = 1024 * 1024
_CLUSTERS = re.compile(r"<(\d+)(?:-(\d+))?>")
MTOOLS = {"MTOOLS_SKIP_CHECK": "1"}


class Form(StrEnum):
    """How an artefact is kept: what can be patched where it lies, and what is packed."""

    ISO = "iso"
    RAW = "raw"
    PXE = "pxe"
    ZSTD = "raw.zst"
    QCOW2 = "qcow2"


@dataclass(frozen=True)
class Place:
    """A range of a file, and what a build leaves there."""

    file: Path
    offset: int
    blank: bytes

    def read(self) -> bytes:
        """Read the range."""
        with self.file.open("rb") as file:
            return os.pread(file.fileno(), len(self.blank), self.offset)

    def write(self, content: bytes) -> None:
        """Write the range, and nothing around it."""
        assert len(content) == len(self.blank)
        with self.file.open("r+b") as file:
            os.pwrite(file.fileno(), content, self.offset)


@dataclass(frozen=True)
class Places:
    """All places of one artefact; a PXE folder has its menus instead of a range for kernel arguments."""

    artefact: Path
    area: Place
    arguments: Place | None
    menu: str
    """The menu that tells how long the kernel's command lines are."""

    def read_area(self) -> ConfigArea:
        """Read what is embedded."""
        return parse_area(self.area.read())

    def read_arguments(self) -> str:
        """Read which kernel arguments were added."""
        if self.arguments is not None:
            return read_arguments(self.arguments.read())
        return read_menu_arguments("boot.ipxe", (self.artefact / "boot.ipxe").read_text())

    def write_area(self, area: ConfigArea) -> None:
        """Embed a configuration in place of what was there."""
        if self.artefact.is_dir():
            # A folder's files may be links of another folder's, which must stay as it is.
            fresh = self.area.file.with_name(f".{self.area.file.name}.new")
            shutil.copyfile(self.area.file, fresh)
            replace(self.area, file=fresh).write(pack_area(area))
            fresh.replace(self.area.file)
        else:
            self.area.write(pack_area(area))

    def write_arguments(self, text: str) -> None:
        """Add kernel arguments in place of those that were added before."""
        if self.arguments is not None:
            self.arguments.write(pack_arguments(text))
            return
        for name in MENUS:
            menu = self.artefact / name
            fresh = menu.with_name(f".{menu.name}.new")
            fresh.write_text(set_menu_arguments(name, menu.read_text(), text))
            fresh.replace(menu)

    def digests_as_built(self) -> dict[str, str]:
        """Digest each file as it would be with its places blank, by path below the artefact's folder."""
        if self.artefact.is_file():
            ranges = [place for place in (self.area, self.arguments) if place]
            return {self.artefact.name: _digest(self.artefact, ranges)}
        found: dict[str, str] = {}
        for path in sorted(path for path in self.artefact.rglob("*") if path.is_file()):
            name = path.relative_to(self.artefact).as_posix()
            if name in MENUS:
                blank = set_menu_arguments(name, path.read_text(), "")
                found[name] = hashlib.sha256(blank.encode()).hexdigest()
            else:
                found[name] = _digest(path, [self.area] if path == self.area.file else [])
        return found


def find_form(path: Path) -> Form:
    """Tell by its content how an artefact is kept; raises VirtnodeError for what cannot be customised."""
    if path.is_dir() and (path / PXE_SQUASHFS).exists():
        return Form.PXE
    if not path.exists():
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no {path}", "give an ISO, a disk image or a pxe folder"
        )
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(17 * ISO_BLOCK)
        if start[16 * ISO_BLOCK + 1 : 16 * ISO_BLOCK + 6] == b"CD001":
            return Form.ISO
        if start.startswith(b"QFI\xfb"):
            return Form.QCOW2
        if start.startswith(b"\x28\xb5\x2f\xfd"):
            return Form.ZSTD
        if start[SECTOR : SECTOR + 8] == b"EFI PART":
            return Form.RAW
        if is_bundle(start):
            raise _no_customised_bundle(path)
    raise VirtnodeError(
        Code.INVALID,
        f"{path} cannot be customised",
        "give an ISO, a disk image (.raw, .raw.zst, .qcow2) or a pxe folder",
    )


def find_places(path: Path, form: Form) -> Places:
    """Find the places of an ISO, a raw disk image or a PXE folder, and check that they are what they seem."""
    if form is Form.ISO:
        with open_medium(path) as medium:
            return find_places_on(medium)
    return _checked(path, _find_on_disk(path) if form is Form.RAW else _find_in_folder(path))


def find_places_on(medium: Medium) -> Places:
    """Find the places of an artefact that is open."""
    if medium.kind is Kind.ISO:
        return _checked(medium.path, _find_in_iso(medium))
    if medium.kind is Kind.UPDATE:
        raise _no_customised_bundle(medium.path)
    if medium.kind is Kind.SQUASHFS:
        raise _no_area(medium.path)
    return find_places(medium.raw, Form.RAW if medium.kind is Kind.DISK else Form.PXE)


def _checked(path: Path, places: Places) -> Places:
    if not places.area.read().startswith(MAGIC):
        raise _no_area(path)
    if places.arguments is not None and not places.arguments.read().startswith(ARGUMENTS_MARK.encode()):
        raise _no_area(path)
    return places


def _find_in_iso(medium: Medium) -> Places:
    path, files = medium.path, {file.path: file for file in medium.files}
    area, arguments = files.get(f"/{AREA_FILE}"), files.get(f"/{ISO_ARGUMENTS}")
    if area is None or arguments is None or (area.size, arguments.size) != (AREA_SIZE, ARGUMENTS_SIZE):
        raise _no_area(path)
    menu = files["/boot/grub/grub.cfg"].read().decode()
    return Places(path, _area(path, area.offset), _arguments(path, arguments.offset), menu)


def _find_on_disk(path: Path) -> Places:
    start = next((one.start for one in read_partitions(path) if one.type == ESP_TYPE), None)
    if start is None:
        raise _no_area(path)
    area, arguments = (find_in_fat(path, start, name) for name in (AREA_FILE, DISK_ARGUMENTS))
    menu = run(["mtype", "-i", f"{path}@@{start}", "::grub/grub.cfg"], env=MTOOLS).stdout
    # The menu has the arguments of the slot that starts; of two slots the longest arguments count.
    slots = [
        run(["mtype", "-i", f"{path}@@{start}", f"::{slot}/slot.cfg"], env=MTOOLS, check=False).stdout
        for slot in ("a", "b")
    ]
    menu = max(slots, key=len) + menu
    return Places(path, _area(path, area), _arguments(path, arguments), menu)


def _find_in_folder(path: Path) -> Places:
    archive = path / PXE_ARCHIVE
    offset = archive.read_bytes().find(MAGIC) if archive.is_file() else -1
    if offset < 0:
        raise _no_area(path)
    menu = set_menu_arguments("grub.cfg", (path / "grub.cfg").read_text(), f"${MENU_VARIABLE}")
    return Places(path, _area(archive, offset), None, menu)


def find_in_fat(raw: Path, start: int, name: str) -> int:
    """Find where in `raw` a file of the FAT file system at `start` lies; it must lie in one piece."""
    shown = run(["mshowfat", "-i", f"{raw}@@{start}", f"::{name}"], env=MTOOLS, check=False)
    ranges = _CLUSTERS.findall(shown.stdout)
    if shown.status != 0 or len(ranges) != 1:
        raise _no_area(raw)
    with raw.open("rb") as file:
        block = os.pread(file.fileno(), SECTOR, start)
    # Sector size, sectors of a cluster, reserved sectors, copies of the table, entries of the root folder.
    sector, per_cluster, reserved, tables, entries = struct.unpack_from("<HBHBH", block, 11)
    table_size = struct.unpack_from("<H", block, 22)[0] or struct.unpack_from("<I", block, 36)[0]
    first = reserved + tables * table_size + -(-entries * 32 // sector)
    return int(start + (first + (int(ranges[0][0]) - 2) * per_cluster) * sector)


def _area(file: Path, offset: int) -> Place:
    return Place(file, offset, pack_area(ConfigArea()))


def _arguments(file: Path, offset: int) -> Place:
    return Place(file, offset, pack_arguments(""))


def _no_customised_bundle(path: Path) -> VirtnodeError:
    return VirtnodeError(
        Code.INVALID,
        f"{path} is an update bundle, which takes no configuration: a node keeps its own",
        "configure the node itself, or build the bundle from another kickstart",
    )


def _no_area(path: Path) -> VirtnodeError:
    return VirtnodeError(
        Code.INVALID,
        f"{path} has no config area",
        "it is of an older version, was remastered, or was made by lorax; build it with virtnode-image",
    )


def _digest(path: Path, blanked: Sequence[Place]) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(path, sorted(blanked, key=lambda place: place.offset)):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path, blanked: Sequence[Place]) -> Iterator[bytes]:
    """Yield a file's content with what a build leaves in these places."""
    with path.open("rb") as file:
        for place in blanked:
            yield from _read_until(file.fileno(), file.tell(), place.offset)
            yield place.blank
            file.seek(place.offset + len(place.blank))
        yield from _read_until(file.fileno(), file.tell(), path.stat().st_size)


def _read_until(file: int, position: int, end: int) -> Iterator[bytes]:
    while position < end:
        piece = os.pread(file, min(PIECE, end - position), position)
        if not piece:
            return
        yield piece
        position += len(piece)
