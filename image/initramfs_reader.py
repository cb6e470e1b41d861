"""Lists what an initramfs holds: plain cpio archives first, as for microcode, then a compressed one."""

import lzma
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodelib.errors import VirtnodeError
from nodelib.run import run

_CPIO_MAGICS = (b"070701", b"070702")
_HEADER_SIZE = 110
_TRAILER = "TRAILER!!!"
_PROGRAMS = {b"\x28\xb5\x2f\xfd": "zstd", b"\x02\x21\x4c\x18": "lz4"}


@dataclass(frozen=True)
class ArchivedFile:
    """A regular file of the archive: its size in bytes, and `weight`, its bytes after a quick compression."""

    path: str
    size: int
    weight: int


def read_initramfs(content: bytes) -> tuple[ArchivedFile, ...]:
    """List the regular files of an initramfs; empty when it is packed in a way that is not known."""
    files: list[ArchivedFile] = []
    at = 0
    try:
        while at < len(content):
            if content[at] == 0:
                at += 1
            elif content[at : at + 6] in _CPIO_MAGICS:
                at = _read_archive(content, at, files)
            else:
                unpacked = _decompress(content[at:])
                _read_archive(unpacked, 0, files)
                break
    except (EOFError, ValueError, lzma.LZMAError, zlib.error, VirtnodeError):
        return ()
    return tuple(files)


def _read_archive(content: bytes, start: int, files: list[ArchivedFile]) -> int:
    """Add an archive's files to the list, and return where the archive ends."""
    end = start
    for path, data, position in _entries(content, start):
        end = position
        if data:
            absolute = f"/{path.removeprefix('./').lstrip('/')}"
            files.append(ArchivedFile(absolute, len(data), len(zlib.compress(data, 1))))
    return end


def _entries(content: bytes, at: int) -> Iterator[tuple[str, bytes, int]]:
    """Yield path, content and end position of each entry that is a regular file, or the archive's end."""
    while True:
        header = content[at : at + _HEADER_SIZE]
        if header[:6] not in _CPIO_MAGICS or len(header) < _HEADER_SIZE:
            raise EOFError
        mode, size, name_size = (int(header[start : start + 8], 16) for start in (14, 54, 94))
        path = content[at + _HEADER_SIZE : at + _HEADER_SIZE + name_size - 1].decode(errors="replace")
        data_at = _aligned(at + _HEADER_SIZE + name_size)
        at = _aligned(data_at + size)
        if at > len(content) + 3:
            raise EOFError
        is_file = mode & 0o170000 == 0o100000
        yield path, content[data_at : data_at + size] if is_file else b"", at
        if path == _TRAILER:
            return


def _aligned(position: int) -> int:
    return (position + 3) & ~3


def _decompress(packed: bytes) -> bytes:
    if packed.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(packed)
    if packed.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.LZMADecompressor().decompress(packed)
    program = _PROGRAMS.get(packed[:4])
    if program is None:
        raise ValueError("no known compression")
    with tempfile.TemporaryDirectory(prefix="virtnode-") as directory:
        source, target = Path(directory, "packed"), Path(directory, "unpacked")
        source.write_bytes(packed)
        run(
            [program, "-d", "-q", source, target]
            if program == "lz4"
            else [program, "-dq", source, "-o", target]
        )
        return target.read_bytes()
