"""One way to run a command: a list, never a shell; a failure says what to paste to repeat it."""

import contextlib
import logging
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.interruption import interruption_waits

logger = logging.getLogger(__name__)

MESSAGE_LINES = 3
"""How many of a failed command's last lines its error repeats."""


@dataclass(frozen=True)
class Result:
    """What a finished command left: its exit status and its decoded output."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str | None] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Result:
    """Run a command to its end and return what it printed.

    `env` adds to this process's environment, and None takes a name from it. `timeout` is in seconds.
    `on_line` sees each line of standard error as it comes, in a thread of its own. Raises VirtnodeError
    (unavailable) when the program is missing and, with `check`, VirtnodeError (failed) when it ends with
    another status than 0. An interruption ends the command first, with everything it started.
    """
    words = tuple(str(word) for word in argv)
    logger.debug("run: %s", shlex.join(words))
    with contextlib.ExitStack() as open_pipes:
        watcher = open_pipes.enter_context(_Watcher(on_line)) if on_line else None
        process: subprocess.Popen[str] | None = None
        try:
            # In the midst of starting nobody would know whom to end.
            with interruption_waits():
                process = _start(words, cwd, env, stdin, watcher)
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            raise VirtnodeError(
                Code.FAILED, f"{Path(words[0]).name} did not end within {timeout} s", _command_hint(words)
            ) from error
        finally:
            if process is not None:
                _end(process)
        if watcher:
            stderr = watcher.finish()
    result = Result(words, process.returncode, stdout, stderr)
    if check and result.status != 0:
        raise command_error(result)
    return result


def command_error(result: Result) -> VirtnodeError:
    """Describe a failed command by its last words, with the command itself as the hint."""
    said = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
    last_words = "; ".join(line.strip() for line in said[-MESSAGE_LINES:]) or "it said nothing"
    if "No space left on device" in result.stderr:
        return disk_full_error(f"{Path(result.argv[0]).name}: {last_words}")
    return VirtnodeError(
        Code.FAILED,
        f"{Path(result.argv[0]).name} ended with status {result.status}: {last_words}",
        _command_hint(result.argv),
    )


def disk_full_error(where: str) -> VirtnodeError:
    """Say that a disk is full, and what to do about it."""
    return VirtnodeError(
        Code.FAILED, f"the disk is full: {where}", "free some space, or choose folders on a larger disk"
    )


def _command_hint(words: Sequence[str]) -> str:
    return f"the command was: {shlex.join(words)}"


class _Watcher:
    """Reads a command's standard error from a pipe of its own, and shows each line as it comes."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        reading, self.writing = os.pipe()
        self._pipe = os.fdopen(reading, encoding="utf-8", errors="replace")
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "_Watcher":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.finish()

    def finish(self) -> str:
        """Wait until everybody has closed the other end, and return all that was written."""
        if self.writing >= 0:
            os.close(self.writing)
            self.writing = -1
        self._thread.join()
        self._pipe.close()
        return "".join(self._lines)

    def _read(self) -> None:
        try:
            for line in self._pipe:
                self._lines.append(line)
                self._on_line(line.rstrip("\n"))
        finally:
            # A command whose errors nobody reads would wait for ever.
            self._lines += self._pipe


def _start(
    words: Sequence[str],
    cwd: Path | None,
    env: Mapping[str, str | None] | None,
    stdin: str | None,
    watcher: _Watcher | None,
) -> subprocess.Popen[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}
    try:
        return subprocess.Popen(
            words,
            cwd=cwd,
            env={name: value for name, value in environment.items() if value is not None},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=watcher.writing if watcher else subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        if cwd is not None and not cwd.is_dir():
            raise
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"the program {words[0]} is not installed",
            "virtnode-image doctor lists what is missing",
        ) from error


def _end(process: subprocess.Popen[str]) -> None:
    """End the command and whatever it started, if it is not done: politely, then for good."""
    if process.returncode is not None:
        return
    # What is killed may still be in the kernel for a while: a virtual machine on a KVM that hangs.
    for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 60)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=patience)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            # What was not written yet has nobody to read it.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
