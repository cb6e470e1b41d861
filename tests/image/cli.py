"""Runs the real command line as people do, and looks for what it may have left behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.plan import CHECKOUT

PATIENCE = 600
"""Seconds after which a condition is taken for lost; a first build installs every package."""
MARK = "VIRTNODE_TEST_MARK"


@dataclass(frozen=True)
class Ended:
    """How a run of the command line ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard error but for finished steps and the log."""
        return [
            line for line in self.stderr.splitlines() if line.startswith(("error: ", "hint: ", "interrupted"))
        ]


def virtnode_image(*words: str | Path) -> list[str]:
    """Build the command line that runs this checkout's virtnode-image."""
    return [sys.executable, "-m", "image.main", *(str(word) for word in words)]


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this process's environment, with the checkout to import from, and additions."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1", **(extra or {})}


def run_cli(
    *words: str | Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    cwd: Path | None = None,
) -> Ended:
    """Run virtnode-image to its end; `prefix` is a command that runs it, such as unshare."""
    argv = [*prefix, *virtnode_image(*words)]
    done = subprocess.run(argv, env=environment(env), cwd=cwd, capture_output=True, text=True, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


def interrupt_cli(
    words: Sequence[str | Path], ready: Callable[[str], bool], number: int = signal.SIGINT
) -> Ended:
    """Run virtnode-image, signal it as soon as `ready` of its messages so far, and wait for its end.

    Raises AssertionError when a process that it started is still there afterwards.
    """
    mark = str(uuid.uuid4())
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = subprocess.Popen(
        virtnode_image(*words), env=environment({MARK: mark}), stdout=subprocess.DEVNULL, stderr=write
    )
    os.close(write)
    said = ""
    deadline = time.monotonic() + PATIENCE
    while not ready(said):
        said += _read_some(read)
        assert process.poll() is None, f"it ended before it was interrupted: {said}"
        assert time.monotonic() < deadline, f"it never came to where it should be interrupted: {said}"
    process.send_signal(number)
    status = process.wait(60)
    said += _read_some(read)
    os.close(read)
    left = processes_with(mark)
    assert left == [], f"processes are left: {left}"
    return Ended(status, "", said)


def _read_some(descriptor: int) -> str:
    try:
        return os.read(descriptor, 65536).decode()
    except BlockingIOError:
        return ""


def processes_with(mark: str) -> list[str]:
    """Name the processes that a run started: they have its mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def mounts_below(*folders: Path) -> list[str]:
    """List the mounts of this machine below some folders."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]


def loop_devices() -> list[str]:
    """List the loop devices that have a file."""
    return sorted(str(path) for path in Path("/sys/block").glob("loop*/loop/backing_file"))
