"""Compress a disk image that is mostly holes, without reading them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nodelib.run import Result, command_error

BLOCK = 1024 * 1024


def compress_sparse(source: Path, output: Path) -> None:
    """Compress `source` into `output` with zstd, level 1; the same bytes for the same content.

    Whoever reads a hole from a file makes the system keep pages of zeros for it: 1.5 GB for an image that
    holds 100 MB. Its zeros come from here instead. Raises VirtnodeError (failed) with zstd's words.
    """
    argv = zstd_argv(source.stat().st_size, output)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False) as process:
        assert process.stdin is not None
        try:
            for block in read_sparse(source):
                process.stdin.write(block)
        except BrokenPipeError:
            pass  # zstd has ended; its own words say why.
        _, said = process.communicate()
    if process.returncode != 0:
        raise command_error(Result(tuple(argv), process.returncode, "", said.decode(errors="replace")))


def zstd_argv(size: int, output: Path) -> list[str]:
    """Build zstd's command line for `size` bytes from standard input."""
    # A fixed number of threads, which zstd's output depends on; level 1, for only zeros are compressible.
    argv = ["zstd", "--quiet", "--force", "-1", "--threads=2", f"--stream-size={size}"]
    return [*argv, "-o", str(output)]


def read_sparse(source: Path) -> Iterator[bytes]:
    """Yield a file's whole content, block by block; holes are not read."""
    size = source.stat().st_size
    zeros = bytes(BLOCK)
    with source.open("rb", buffering=0) as file:
        position = 0
        while position < size:
            start = _next_data(file.fileno(), position, size)
            while position < start:
                yield zeros[: min(BLOCK, start - position)]
                position += min(BLOCK, start - position)
            end = os.lseek(file.fileno(), position, os.SEEK_HOLE) if position < size else size
            while position < end:
                block = os.pread(file.fileno(), min(BLOCK, end - position), position)
                yield block
                position += len(block)


def _next_data(file: int, position: int, size: int) -> int:
    try:
        return os.lseek(file, position, os.SEEK_DATA)
    except OSError:
        # ENXIO: nothing but a hole is left.
        return size
