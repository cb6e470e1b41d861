"""Copies one file to a drive, as a program of its own: mounts it, writes, and leaves nothing half-written.

Runs in a transient unit, whose mounts nobody else sees. Prints one JSON table: the file's name, or a problem
with a hint.
"""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

OPTIONS = "rw,nosuid,nodev,noexec"
ENDING = ".part"
SPARE = 64 << 10
"""Bytes beyond the file itself, for the file system's own books."""
FULL = ("there is no room on the drive", "delete something on it, or use another one")
READ_ONLY = ("the drive is read-only", "move its write-protection switch, or use another one")
GONE = ("the drive was pulled out, or is broken", "plug it in again, or use another one")
PROBLEMS = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EIO: GONE,
    errno.ENODEV: GONE,
    errno.ENXIO: GONE,
}


class Refused(Exception):
    """A problem and its hint."""


def main(device: str, filesystem: str, source: str) -> int:
    """Copy the file and say how it went; returns the exit status."""
    try:
        with mounted(device, filesystem) as folder:
            name = copy_file(Path(source), folder)
    except Refused as refused:
        problem, hint = refused.args
        sys.stdout.write(json.dumps({"problem": problem, "hint": hint}))
        return 1
    sys.stdout.write(json.dumps({"name": name}))
    return 0


@contextlib.contextmanager
def mounted(device: str, filesystem: str) -> Iterator[Path]:
    """Mount a drive; what was written is on it once this has ended without an error."""
    folder = Path(tempfile.mkdtemp(prefix="virtnode-usb-"))
    try:
        done = _run("mount", "-t", filesystem, "-o", OPTIONS, device, str(folder))
        if done.returncode:
            said = " ".join(done.stderr.split())[-200:] or "mount says nothing"
            raise Refused(f"it cannot be mounted: {said}", "is the drive still plugged in? try another one")
        try:
            yield folder
        except BaseException:
            _run("umount", "--lazy", str(folder))
            raise
        if _run("umount", str(folder)).returncode:
            _run("umount", "--lazy", str(folder))
            raise Refused(*GONE)
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()


def copy_file(source: Path, folder: Path) -> str:
    """Copy a file under another name first; returns its name once it is whole."""
    fresh = folder / f".{source.name}{ENDING}"
    try:
        found = os.statvfs(folder)
        if found.f_flag & os.ST_RDONLY:
            raise Refused(*READ_ONLY)
        for left in folder.glob(f".virtnode-*{ENDING}"):
            left.unlink()
        if found.f_bavail * found.f_frsize < source.stat().st_size + SPARE:
            raise Refused(*FULL)
        with source.open("rb") as reading, fresh.open("xb") as writing:
            shutil.copyfileobj(reading, writing)
            writing.flush()
            os.fsync(writing.fileno())
        fresh.rename(folder / source.name)
        _sync(folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        problem = PROBLEMS.get(error.errno or 0, (f"it cannot be written: {error.strerror}", GONE[1]))
        raise Refused(*problem) from error
    return source.name


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        # FAT of some kernels knows no such thing for a folder; unmounting brings it to the drive.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def _run(*argv: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
