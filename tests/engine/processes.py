"""A real engine, as a process of its own."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0


@dataclass
class Running:
    """A real `virtnode-engine serve`."""

    home: Path
    process: subprocess.Popen[str]
    welcome: str

    def find(self, pattern: str) -> str:
        """Find something that it printed at its start."""
        found = re.search(pattern, self.welcome)
        assert found is not None, self.welcome
        return found[1]

    @property
    def port(self) -> int:
        """The port that nodes dial."""
        return int(self.find(r"nodes +port (\d+)"))

    @property
    def pin(self) -> str:
        """The authority's pin."""
        return self.find(r"pin +(sha256:[0-9a-f]{64})")


@contextlib.contextmanager
def serving(home: Path, *more: str, port: int = 0) -> Iterator[Running]:
    """Run an engine as a process of its own."""
    argv = [sys.executable, "-m", "engine.main", "serve", "--home", str(home), "--listen", "127.0.0.1"]
    argv += ["--link-port", str(port), "--rest-port", "0", "--name", "127.0.0.1", *more]
    with (home.parent / f"{home.name}.log").open("a") as log:
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    try:
        welcome = ""
        assert process.stdout is not None
        for line in process.stdout:
            welcome += line
            if "pin " in line:
                break
        # What comes after the pin is one write with it.
        yield Running(home, process, welcome + _rest(process, home))
    finally:
        if process.poll() is None:
            process.terminate()
        assert process.wait(PATIENCE) in (0, -signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


def _rest(process: subprocess.Popen[str], home: Path) -> str:
    """Read the account's lines if this is the first start."""
    marker = home / ".first-start-seen"
    if marker.exists():
        return ""
    marker.touch()
    assert process.stdout is not None
    return "".join(process.stdout.readline() for _ in range(3))
