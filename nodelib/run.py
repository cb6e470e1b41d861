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
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    check: bool = True,
    timeout: float | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Result:
    """Run a command to its end and return what it printed.

    `env` adds to this process's environment. `timeout` is in seconds. `on_line` sees each line of standard
    error as it comes. Raises VirtnodeError (unavailable) when the program is missing and, with `check`,
    VirtnodeError (failed) when it ends with another status than 0. An interruption ends the command first.
    """
    words = tuple(str(word) for word in argv)
    logger.debug("run: %s", shlex.join(words))
    try:
        process = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"the program {words[0]} is not installed",
            "virtnode-image doctor lists what is missing",
        ) from error
    try:
        stdout, stderr = _communicate(process, stdin, timeout, on_line)
    except BaseException:
        _end(process)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    result = Result(words, process.returncode, stdout, stderr)
    if check and result.status != 0:
        raise command_error(result)
    return result


def command_error(result: Result) -> VirtnodeError:
    """Describe a failed command by its last words, with the command itself as the hint."""
    said = [line for line in (result.stderr or result.stdout).splitlines() if line.strip()]
    last_words = "; ".join(line.strip() for line in said[-MESSAGE_LINES:]) or "it said nothing"
    return VirtnodeError(
        Code.FAILED,
        f"{Path(result.argv[0]).name} ended with status {result.status}: {last_words}",
        f"the command was: {shlex.join(result.argv)}",
    )


def _communicate(
    process: subprocess.Popen[str],
    stdin: str | None,
    timeout: float | None,
    on_line: Callable[[str], None] | None,
) -> tuple[str, str]:
    if on_line is None:
        try:
            return process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            message = f"{process.args!r} did not end within {timeout:.0f} s"
            raise VirtnodeError(Code.FAILED, message) from error
    assert process.stdout is not None
    assert process.stderr is not None
    stdout: list[str] = []
    reader = threading.Thread(target=lambda pipe: stdout.append(pipe.read()), args=(process.stdout,))
    reader.start()
    stderr = []
    for line in process.stderr:
        stderr.append(line)
        on_line(line.rstrip("\n"))
    reader.join()
    process.wait(timeout)
    return "".join(stdout), "".join(stderr)


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            return
