"""The README's section on joining, as commands to follow with the names of this machine."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from image.qemu import HOST_ADDRESS
from tests.vm.guest import wait_until
from tests.vm.joining import PIN

CHECKOUT = Path(__file__).parents[2]
COPIED = ("nodelib", "nodeagent", "engine", "image", "tui", "pyproject.toml", "README.md", "LICENSE")
SECTION = "## Join a node to an engine\n"
BLOCK = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLAIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 120.0


def read_blocks(text: str) -> list[list[str]]:
    """Return the lines of each block of the section, in order."""
    section = text.partition(SECTION)[2].partition("\n## ")[0]
    return [block.splitlines() for block in BLOCK.findall(section)]


@dataclass
class Follower:
    """Somebody who types what the README says, each name replaced by the one of this machine."""

    folder: Path
    blocks: list[list[str]]
    names: dict[str, str] = field(default_factory=dict)

    def own(self, line: str) -> str:
        """Replace the README's names."""
        # The engine's place on this machine is not the default, which the README leaves out.
        place = " --home /var/lib/virtnode-engine" if line.startswith("virtnode-engine nodes") else ""
        for name, here in self.names.items():
            line, place = line.replace(name, here), place.replace(name, here)
        return line + place

    def run(self, line: str) -> str:
        """Type a line of the README into a shell of the checkout; it must succeed."""
        assert any(line in written for block in self.blocks for written in block), line
        export = next(line for line in self.blocks[0] if line.startswith("export "))
        done = subprocess.run(
            ["sh", "-ec", f"{self.own(export)}\n{self.own(line)}"],
            cwd=self.folder / "checkout",
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def environment(self) -> Mapping[str, str]:
        """Give what a shell has after a login, and what this machine's administrator says of networks."""
        network = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "REQ"))
        }
        return {"PATH": PLAIN_PATH, "HOME": str(self.folder), **network}

    def rows(self) -> list[list[str]]:
        """List the nodes: the words of each row."""
        return [line.split() for line in self.run("virtnode-engine nodes list").splitlines()[1:]]

    def wait_for(self, state: str, seconds: float = 400.0) -> list[str]:
        """Wait until the only node of the list has a state, and return its row's words."""
        wait_until(lambda: [row[1] for row in self.rows()] == [state], seconds, f"one node that is {state}")
        return self.rows()[0]


@contextlib.contextmanager
def follow(folder: Path) -> Iterator[Follower]:
    """Install and start an engine as the README says, in a folder, and end it on the way out."""
    text = (CHECKOUT / "README.md").read_text()
    follower = Follower(folder, read_blocks(text))
    install, export, serve = follower.blocks[0]
    (folder / "checkout").mkdir()
    for name in COPIED:
        source, target = CHECKOUT / name, folder / "checkout" / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    home = folder / "engine"
    follower.names = {
        "/opt/virtnode": str(folder / "venv"),
        "/var/lib/virtnode-engine": str(home),
        "engine.example.org": HOST_ADDRESS,
    }
    follower.run(install)
    with running(follower, f"{export}\nexec {serve}") as log:
        wait_until(lambda: bool(PIN.search(log.read_text())), START_SECONDS, "the engine's pin")
        follower.names["sha256:17e373df9c29..."] = PIN.findall(log.read_text())[0]
        yield follower


@contextlib.contextmanager
def running(follower: Follower, lines: str) -> Iterator[Path]:
    """Run lines of the README until the end, and give the file that takes what they print."""
    log = follower.folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-ec", follower.own(lines)],
            cwd=follower.folder / "checkout",
            env=follower.environment(),
            stdout=output,
            stderr=output,
        )
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
