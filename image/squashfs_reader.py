"""Reads where a squashfs image spends its bytes: its tables only, never a file's content."""

import lzma
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from image.squashfs_tables import COMPRESSORS, MetadataTable, read_blocks
from nodelib.errors import Code, VirtnodeError

_SUPERBLOCK = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_MAGIC = b"hsqs"
_NO_TABLE = 0xFFFFFFFFFFFFFFFF
_NO_FRAGMENT = 0xFFFFFFFF
_STORED_SIZE = 0xFFFFFF
_FRAGMENT = struct.Struct("<QII")
_FRAGMENTS_PER_BLOCK = 512

_DIRECTORIES = {1: struct.Struct("<IIHHI"), 8: struct.Struct("<IIIIHHI")}
_FILES = {2: struct.Struct("<IIII"), 9: struct.Struct("<QQQIIII")}
_COMMON_SIZE = 16

_DAMAGE = (
    EOFError,
    LookupError,
    OverflowError,
    RecursionError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
"""What reading numbers that make no sense ends in."""


@dataclass(frozen=True)
class Superblock:
    """What an image says of itself; sizes and positions in bytes from its start."""

    inodes: int
    time: int
    """Seconds since 1970."""
    block_size: int
    fragments: int
    compressor: str
    root_inode: int
    bytes_used: int
    inode_table: int
    directory_table: int
    fragment_table: int
    id_table: int
    export_table: int


@dataclass(frozen=True)
class Piece:
    """A stored part of a file: a block of its own, or `length` bytes at `offset` of a shared fragment."""

    position: int
    """Where the block or fragment is stored, in bytes from the image's start."""
    stored: int
    """Bytes the block or fragment takes, compressed as it is."""
    offset: int = 0
    length: int | None = None
    """Uncompressed bytes within a fragment; None for a block, which is the file's alone."""


@dataclass(frozen=True)
class SquashedFile:
    """A name in the image that is no directory; only regular files have a size, in bytes, and pieces."""

    path: str
    inode: int
    size: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class SquashfsImage:
    """An image's superblock and every file of it, by path; a hard link is a second path with one inode."""

    superblock: Superblock
    files: tuple[SquashedFile, ...]


def read_superblock(file: BinaryIO, offset: int = 0) -> Superblock:
    """Read the superblock of the image that starts `offset` bytes into an open file."""
    file.seek(offset)
    raw = file.read(_SUPERBLOCK.size)
    if len(raw) < _SUPERBLOCK.size or raw[:4] != _MAGIC:
        message = f"{file.name} holds no squashfs image"
        raise VirtnodeError(Code.INVALID, message, "give the file that the build wrote")
    (_, inodes, time, block_size, fragments, compressor, _, _, _, major, minor, *rest) = _SUPERBLOCK.unpack(
        raw
    )
    root_inode, bytes_used, id_table, _, inode_table, directory_table, fragment_table, export_table = rest
    if (major, minor) != (4, 0) or compressor not in COMPRESSORS:
        message = f"{file.name} is squashfs {major}.{minor} with compressor {compressor}, which is not known"
        raise VirtnodeError(Code.INVALID, message, "virtnode-image reads version 4.0")
    return Superblock(
        inodes=inodes,
        time=time,
        block_size=block_size,
        fragments=fragments,
        compressor=COMPRESSORS[compressor],
        root_inode=root_inode,
        bytes_used=bytes_used,
        inode_table=inode_table,
        directory_table=directory_table,
        fragment_table=fragment_table,
        id_table=id_table,
        export_table=export_table,
    )


def read_squashfs(path: Path, offset: int = 0) -> SquashfsImage:
    """List every file of the image that starts `offset` bytes into `path`, with the pieces that hold it."""
    try:
        with path.open("rb") as file:
            superblock = read_superblock(file, offset)
            if path.stat().st_size < offset + superblock.bytes_used:
                raise EOFError
            return SquashfsImage(superblock, tuple(_Reader(file, offset, superblock).walk()))
    except _DAMAGE as error:
        message = f"{path} is a damaged or truncated squashfs image"
        raise VirtnodeError(Code.INVALID, message, "compare it with SHA256SUMS, or copy it again") from error


class _Reader:
    """Walks the directory tree of one image."""

    def __init__(self, file: BinaryIO, offset: int, superblock: Superblock) -> None:
        self._superblock = superblock
        compressor = superblock.compressor
        self._fragments = _read_fragments(file, offset, superblock)
        inodes = (superblock.inode_table, superblock.directory_table)
        self._inodes = MetadataTable.read(file, offset, *inodes, compressor)
        directories = (superblock.directory_table, _end_of_directories(file, offset, superblock))
        self._directories = MetadataTable.read(file, offset, *directories, compressor)

    def walk(self) -> Iterator[SquashedFile]:
        """Yield the files below the root, directory by directory, names sorted as the image has them."""
        root = self._inodes.position(self._superblock.root_inode >> 16, self._superblock.root_inode & 0xFFFF)
        yield from self._walk_directory("", root)

    def _walk_directory(self, path: str, position: int) -> Iterator[SquashedFile]:
        kind = self._kind(position)
        fields = _DIRECTORIES[kind].unpack_from(self._inodes.data, position + _COMMON_SIZE)
        if kind == 1:
            block, _, size, offset, _ = fields
        else:
            _, size, block, _, _, offset, _ = fields
        for name, child in self._entries(self._directories.position(block, offset), size - 3):
            if self._kind(child) in _DIRECTORIES:
                yield from self._walk_directory(f"{path}/{name}", child)
            else:
                yield self._read_file(f"{path}/{name}", child)

    def _entries(self, position: int, size: int) -> Iterator[tuple[str, int]]:
        """Yield each entry's name and its inode's position; entries come in runs that share a block."""
        data, end = self._directories.data, position + size
        while position < end:
            count, block, _ = struct.unpack_from("<III", data, position)
            position += 12
            for _ in range(count + 1):
                offset, _, _, length = struct.unpack_from("<HhHH", data, position)
                name = data[position + 8 : position + 9 + length]
                position += 9 + length
                yield name.decode(errors="surrogateescape"), self._inodes.position(block, offset)

    def _kind(self, position: int) -> int:
        return int.from_bytes(self._inodes.data[position : position + 2], "little")

    def _read_file(self, path: str, position: int) -> SquashedFile:
        data = self._inodes.data
        number: int = struct.unpack_from("<I", data, position + 12)[0]
        kind = self._kind(position)
        if kind not in _FILES:
            return SquashedFile(path, number, 0, ())
        fields = _FILES[kind].unpack_from(data, position + _COMMON_SIZE)
        if kind == 2:
            start, fragment, offset, size = fields
        else:
            start, size, _, _, fragment, offset, _ = fields
        sizes_at = position + _COMMON_SIZE + _FILES[kind].size
        whole, rest = divmod(size, self._superblock.block_size)
        has_tail_block = rest > 0 and fragment == _NO_FRAGMENT
        sizes = struct.unpack_from(f"<{whole + has_tail_block}I", data, sizes_at)
        pieces = list(_blocks(start, sizes))
        if fragment != _NO_FRAGMENT:
            stored_at, stored = self._fragments[fragment]
            pieces.append(Piece(stored_at, stored, offset, rest))
        return SquashedFile(path, number, size, tuple(pieces))


def _blocks(start: int, sizes: tuple[int, ...]) -> Iterator[Piece]:
    for size in sizes:
        stored = size & _STORED_SIZE
        if stored:
            yield Piece(start, stored)
        start += stored


def _read_fragments(file: BinaryIO, offset: int, superblock: Superblock) -> list[tuple[int, int]]:
    """Return each fragment's position and stored bytes."""
    positions = _table_blocks(file, offset + superblock.fragment_table, superblock.fragments)
    table = read_blocks(file, offset, positions, superblock.compressor)
    entries = (
        _FRAGMENT.unpack_from(table, _FRAGMENT.size * number) for number in range(superblock.fragments)
    )
    return [(position, size & _STORED_SIZE) for position, size, _ in entries]


def _end_of_directories(file: BinaryIO, offset: int, superblock: Superblock) -> int:
    """Find where the first of the tables that follow the directories has its first block."""
    tables = [superblock.id_table]
    tables += [superblock.export_table] if superblock.export_table != _NO_TABLE else []
    tables += [superblock.fragment_table] if superblock.fragments else []
    return min(_table_blocks(file, offset + table, 1)[0] for table in tables)


def _table_blocks(file: BinaryIO, position: int, fragments: int) -> tuple[int, ...]:
    """Read where the blocks of a table are stored, from the index that stands behind them."""
    if fragments == 0:
        return ()
    count = -(-fragments // _FRAGMENTS_PER_BLOCK)
    file.seek(position)
    return struct.unpack(f"<{count}Q", file.read(8 * count))
