"""An engine on the host and a node in QEMU, as an administrator and a technician see them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from nodelib.run import run
from tests.vm.guest import Guest, Hardware, kernel_boot, make_state_disk, wait_until

PIN = re.compile(r"sha256:[0-9a-f]{64}")
START_SECONDS = 60.0
JOIN_SECONDS = 400.0


@dataclass
class Engine:
    """`virtnode-engine serve` as a process of its own, and its command line."""

    home: Path
    link_port: int
    rest_port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it printed, of all its starts."""
        return self.home.with_suffix(".log")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        argv = [*self._program(), "serve", "--home", self.home, "--listen", "0.0.0.0", "--name", HOST_ADDRESS]
        argv += ["--link-port", self.link_port, "--rest-port", self.rest_port]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([str(word) for word in argv], stdout=log, stderr=log)
        wait_until(self._listens, START_SECONDS, "the engine's port", pause=0.2)

    def kill(self) -> None:
        """End it as a crash does."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pin(self) -> str:
        """Read the CA's pin from what the first start printed."""
        found = PIN.search(self.log.read_text())
        assert found, self.log.read_text()
        return found[0]

    def call(self, *words: str) -> str:
        """Run one of its verbs."""
        return run([*self._program(), *words, "--home", self.home]).stdout

    def nodes(self) -> list[Mapping[str, Any]]:
        """List the nodes."""
        listed: list[Mapping[str, Any]] = json.loads(self.call("nodes", "list", "--json"))
        return listed

    def wait_for_state(self, state: str, seconds: float = JOIN_SECONDS) -> Mapping[str, Any]:
        """Wait until the only node has a state, and return it."""

        def is_there() -> bool:
            return [node["state"] for node in self.nodes()] == [state]

        # Each question is a program that starts: more of them would take the node's processor away.
        wait_until(is_there, seconds, f"one node that is {state}; there are {self.nodes()}", pause=4.0)
        return self.nodes()[0]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        if not PIN.search(self.log.read_text()):
            return False
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.link_port)) == 0

    def _program(self) -> list[str]:
        return [sys.executable, "-m", "engine.main"]


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running_engine(folder: Path) -> Iterator[Engine]:
    """Start an engine that has no node yet, and end it on the way out."""
    engine = Engine(folder / "engine", free_port(), free_port())
    engine.start()
    try:
        yield engine
    finally:
        engine.kill()


def make_node(
    artefacts: Path,
    folder: Path,
    accelerator: Accelerator,
    *,
    arguments: Sequence[str] = (),
    hardware: Mapping[str, Any] | None = None,
) -> Guest:
    """Lay out a machine with a state disk that starts the build's ISO with these kernel arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    boot = kernel_boot(artefacts, folder, arguments)
    state = make_state_disk(folder / "state.img")
    return Guest(Hardware(folder, str(uuid.uuid4()), state=state, **(hardware or {})), boot, accelerator)


def status_of(guest: Guest) -> Mapping[str, Any]:
    """Ask the node's own command line."""
    status: Mapping[str, Any] = json.loads(guest.run("virtnodectl status --json"))["status"]
    return status


def failing_steps(guest: Guest) -> list[str]:
    """Ask the node which steps of the join ladder fail."""
    return [rung["step"] for rung in ladder_of(guest) if rung["state"] == "failing"]


def ladder_of(guest: Guest) -> Sequence[Mapping[str, Any]]:
    """Ask the node for its join ladder."""
    ladder: Sequence[Mapping[str, Any]] = json.loads(guest.run("virtnodectl status --json"))["ladder"]
    return ladder


@contextlib.contextmanager
def short_folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder a second name that leaves room for sockets' names."""
    link = Path("/tmp") / f"vn-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    link.symlink_to(tmp_path, target_is_directory=True)
    try:
        yield link
    finally:
        link.unlink()
