"""A node in QEMU, watched from the host: its console, its report and its screen."""

import contextlib
import json
import logging
import os
import select
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.verify.verdict import Ending
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
"""How long QEMU may take until it has opened its channels."""

LAST_WORDS_SECONDS = 3.0
"""How much longer the console is read once the node has given up."""

SCREENSHOT_SECONDS = 20.0

INTERRUPTION_SECONDS = 1.0
"""How soon an interruption is noticed while the node is silent."""

SIGNS = {
    b"Oops: int3": Ending.BREAKPOINT,
    b"Kernel panic - not syncing": Ending.PANIC,
    b"Entering emergency mode": Ending.EMERGENCY,
    b"You are in emergency mode": Ending.EMERGENCY,
    b"dracut: FATAL": Ending.EMERGENCY,
}
"""What a console shows when no report will come any more."""

DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
"""Without it, a QEMU whose verification was killed would compute on for ever."""

REPORT_END = b"\nend=\n"


@dataclass(frozen=True)
class NodeSockets:
    """Where QEMU connects the node's console and report, and its own monitor, in a short-named folder."""

    folder: Path

    @property
    def console(self) -> Path:
        """The first serial port."""
        return self.folder / "console.socket"

    @property
    def report(self) -> Path:
        """The virtio-serial port."""
        return self.folder / "report.socket"

    @property
    def qmp(self) -> Path:
        """QEMU's monitor."""
        return self.folder / "qmp.socket"


@dataclass(frozen=True)
class RunningNode:
    """The host's ends of a running machine's channels."""

    console: socket.socket
    report: socket.socket
    qmp: socket.socket


@contextlib.contextmanager
def start_node(command: Sequence[str], sockets: NodeSockets, log: Path) -> Iterator[RunningNode]:
    """Start QEMU with its own output in `log`, and end it on the way out.

    Raises VirtnodeError (failed) when QEMU ends before it has opened its channels.
    """
    with contextlib.ExitStack() as stack:
        listeners = [
            stack.enter_context(_listen(path)) for path in (sockets.console, sockets.report, sockets.qmp)
        ]
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            (*DIES_WITH_PARENT, *command), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        stack.callback(_end, process)
        console, report, qmp = (
            stack.enter_context(_accept(listener, process, log)) for listener in listeners
        )
        yield RunningNode(console, report, qmp)


@contextlib.contextmanager
def _listen(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        yield listener
        path.unlink()


def _accept(listener: socket.socket, process: subprocess.Popen[bytes], log: Path) -> socket.socket:
    ended = os.pidfd_open(process.pid)
    try:
        ready, _, _ = select.select([listener.fileno(), ended], [], [], START_SECONDS)
    finally:
        os.close(ended)
    if listener.fileno() not in ready:
        words = log.read_text(errors="replace").strip().splitlines()
        raise VirtnodeError(Code.FAILED, f"QEMU did not start: {words[-1] if words else 'it said nothing'}")
    return listener.accept()[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def watch_node(
    node: RunningNode,
    console_log: Path,
    *,
    seconds: float,
    interrupted: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Ending, str]:
    """Listen to a node until it has reported, given up or ended, at most `seconds`, or until `interrupted`.

    Returns why the listening ended and what there is of the report; the console goes to `console_log`.
    """
    deadline = clock() + seconds
    ending, report, last_words = Ending.DEADLINE, bytearray(), b""
    with console_log.open("wb", buffering=0) as log, selectors.DefaultSelector() as selector:
        for channel in (node.console, node.report):
            selector.register(channel, selectors.EVENT_READ)
        while (left := deadline - clock()) > 0:
            if interrupted():
                return Ending.INTERRUPTED, report.decode(errors="replace")
            for key, _ in selector.select(min(left, INTERRUPTION_SECONDS)):
                data = _receive(key.fileobj)
                if not data:
                    ending = Ending.ENDED if ending is Ending.DEADLINE else ending
                    return ending, report.decode(errors="replace")
                if key.fileobj is node.report:
                    report += data
                    if report.endswith(REPORT_END):
                        return Ending.REPORTED, report.decode(errors="replace")
                    continue
                log.write(data)
                last_words = (last_words + data)[-4096:]
                sign = find_sign(last_words)
                if sign and ending is Ending.DEADLINE:
                    ending, deadline = sign, min(deadline, clock() + LAST_WORDS_SECONDS)
    return ending, report.decode(errors="replace")


def find_sign(console: bytes) -> Ending | None:
    """Find in a console's output that the node will not report any more."""
    return next((ending for words, ending in SIGNS.items() if words in console), None)


def _receive(channel: object) -> bytes:
    assert isinstance(channel, socket.socket)
    try:
        return channel.recv(1 << 16)
    except ConnectionResetError:
        return b""


def dump_screen(node: RunningNode, file: Path) -> None:
    """Write a PNG of the node's screen; without a machine, or with a QEMU older than 7.1, only say so."""
    try:
        node.qmp.settimeout(SCREENSHOT_SECONDS)
        with node.qmp.makefile("rw") as monitor:
            monitor.readline()  # QEMU's greeting
            for command in (
                {"execute": "qmp_capabilities"},
                {"execute": "screendump", "arguments": {"filename": str(file), "format": "png"}},
            ):
                monitor.write(json.dumps(command) + "\n")
                monitor.flush()
                _await_answer(monitor)
    except (OSError, ValueError) as error:
        logger.warning("no screenshot: %s", error)


def _await_answer(monitor: Iterator[str]) -> None:
    for line in monitor:
        answer = json.loads(line)
        if "error" in answer:
            raise ValueError(answer["error"]["desc"])
        if "return" in answer:
            return
    raise ValueError("QEMU has ended")
