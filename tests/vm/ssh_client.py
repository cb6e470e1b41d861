"""OpenSSH on the host, as somebody uses it who has a key, or tries without."""

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodelib.run import Result, run
from tests.vm.terminal import COLUMNS, LINES, Terminal

REFUSED = 255
"""The client's own exit status: no session came about."""
SECONDS = 120.0


@dataclass(frozen=True)
class SshClient:
    """Logs in as admin at a port of this host that leads to a node."""

    port: int
    folder: Path
    """Has the keys, and what the client remembers of the node's."""

    def make_key(self, name: str) -> str:
        """Make a key, and return its public half as one line."""
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@host", "-f", self.folder / name])
        return (self.folder / f"{name}.pub").read_text().strip()

    def fingerprint(self) -> str:
        """Return what the node proved to be, as `ssh-keygen -l` has it."""
        words = run(["ssh-keygen", "-l", "-f", self.folder / "known_hosts"]).stdout.split()
        return next(word for word in words if word.startswith("SHA256:"))

    def attempt(self, *options: str) -> Result:
        """Try to log in, and return how that ended; nobody is there to be asked for anything."""
        return run([*self._argv("-o", "BatchMode=yes", *options), "true"], check=False, timeout=SECONDS)

    @contextlib.contextmanager
    def session(self, key: str) -> Iterator[Terminal]:
        """Log in with a key, on a terminal that knows colours and UTF-8."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        client = subprocess.Popen(
            self._argv("-i", str(self.folder / key), "-o", "BatchMode=yes", "-t"),
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        try:
            with client, Terminal(PseudoLine(master)).listening(client.kill) as terminal:
                yield terminal
        finally:
            os.close(master)

    def _argv(self, *options: str) -> list[str]:
        settings = ("IdentitiesOnly=yes", "StrictHostKeyChecking=accept-new", "ConnectTimeout=60")
        known = f"UserKnownHostsFile={self.folder / 'known_hosts'}"
        words = [word for setting in (*settings, known) for word in ("-o", setting)]
        return ["ssh", "-F", "none", "-p", str(self.port), *words, *options, "admin@127.0.0.1"]


class PseudoLine:
    """The end of a pseudo-terminal that a terminal hangs on."""

    def __init__(self, master: int) -> None:
        self._master = master

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""
        while data:
            data = data[os.write(self._master, data) :]

    def recv(self, size: int, /) -> bytes:
        """Take what has come; raises OSError once nobody is at the other end."""
        return os.read(self._master, size)
