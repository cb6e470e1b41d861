"""Squashfs's compressed tables: blocks of 8 KiB, each stored behind a header of two bytes."""

import lzma
import struct
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

COMPRESSORS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
BLOCK_SIZE = 8192
"""Uncompressed bytes of each block but a table's last."""

_UNCOMPRESSED = 0x8000
_ZSTD_HEADER = struct.Struct("<IBI")
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_SINGLE_SEGMENT_SIZE_4 = 0xA0


@dataclass(frozen=True)
class StoredBlock:
    """A table's block as it is stored, without its header."""

    data: bytes
    is_compressed: bool


@dataclass(frozen=True)
class MetadataTable:
    """A decompressed table, and where in it each stored block begins."""

    data: bytes
    starts: dict[int, int]

    @classmethod
    def read(cls, file: BinaryIO, offset: int, start: int, end: int, compressor: str) -> "MetadataTable":
        """Read the blocks between two positions of the image that starts `offset` bytes into the file."""
        blocks: list[StoredBlock] = []
        starts: dict[int, int] = {}
        at = start
        while at < end:
            starts[at - start] = len(blocks) * BLOCK_SIZE
            block = _read_block(file, offset + at)
            at += 2 + len(block.data)
            blocks.append(block)
        return cls(decompress(blocks, compressor), starts)

    def position(self, block: int, offset: int) -> int:
        """Turn a reference, the block's stored position and an offset in it, into an index of `data`."""
        return self.starts[block] + offset


def read_blocks(file: BinaryIO, offset: int, positions: Sequence[int], compressor: str) -> bytes:
    """Read and decompress the blocks at these positions of the image, joined."""
    return decompress([_read_block(file, offset + position) for position in positions], compressor)


def decompress(blocks: Sequence[StoredBlock], compressor: str) -> bytes:
    """Decompress a table's blocks and join them."""
    if compressor == "zstd":
        return _decompress_zstd(blocks)
    one = _DECOMPRESS.get(compressor)
    if one is None:
        message = f"this squashfs is compressed with {compressor}, which virtnode-image cannot read"
        raise VirtnodeError(Code.INVALID, message, "its own images are made with xz, zstd, lz4 or gzip")
    return b"".join(one(block.data) if block.is_compressed else block.data for block in blocks)


def decompress_lz4(data: bytes) -> bytes:
    """Decompress one LZ4 block, which has neither header nor size: literals, then copies of what came out."""
    out = bytearray()
    at = 0
    while True:
        token = data[at]
        literals, at = _lz4_length(data, at + 1, token >> 4)
        if at + literals > len(data):
            raise EOFError
        out += data[at : at + literals]
        at += literals
        if at == len(data):
            return bytes(out)
        distance = int.from_bytes(data[at : at + 2], "little")
        length, at = _lz4_length(data, at + 2, token & 15)
        if not 0 < distance <= len(out):
            raise EOFError
        pattern = bytes(out[-distance:])
        length += 4
        out += (pattern * (length // distance + 1))[:length]


def _lz4_length(data: bytes, at: int, length: int) -> tuple[int, int]:
    """Read a length that goes on, when its first four bits are all set, until a byte is not 255."""
    if length == 15:
        while data[at] == 255:
            length += 255
            at += 1
        length += data[at]
        at += 1
    return length, at


def _decompress_zstd(blocks: Sequence[StoredBlock]) -> bytes:
    """Decompress all blocks in one call of the zstd program, which takes frames one after another."""
    frames = (block.data if block.is_compressed else _zstd_frame(block.data) for block in blocks)
    with tempfile.TemporaryDirectory(prefix="virtnode-") as directory:
        packed, unpacked = Path(directory, "table.zst"), Path(directory, "table")
        packed.write_bytes(b"".join(frames))
        run(["zstd", "--quiet", "--decompress", packed, "-o", unpacked])
        return unpacked.read_bytes()


def _zstd_frame(data: bytes) -> bytes:
    """Wrap bytes that are stored as they are in a frame of one raw block."""
    header = _ZSTD_HEADER.pack(_ZSTD_MAGIC, _ZSTD_SINGLE_SEGMENT_SIZE_4, len(data))
    return header + (len(data) << 3 | 1).to_bytes(3, "little") + data


def _read_block(file: BinaryIO, position: int) -> StoredBlock:
    file.seek(position)
    header = int.from_bytes(file.read(2), "little")
    size = header & ~_UNCOMPRESSED
    data = file.read(size)
    if size == 0 or len(data) < size:
        raise EOFError
    return StoredBlock(data, not header & _UNCOMPRESSED)


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": zlib.decompress,
    "lzma": lzma.decompress,
    "xz": lzma.decompress,
    "lz4": decompress_lz4,
}
