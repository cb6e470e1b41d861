"""Somebody on the bus who is not root, in a process that keeps its connection; and real PAM for it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from nodeagent.administrator import LOGIN_COMMAND
from nodelib.bus import Failure, make_error
from nodelib.codec import decode, encode
from nodelib.link import Verb

Q = TypeVar("Q")
R = TypeVar("R")
CHECKOUT = Path(__file__).parents[2]
NOBODY = 65534
OPEN_TO_ALL = """<policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>"""
PROGRAM = """
import json, sys
import dbus
bus = dbus.bus.BusConnection(sys.argv[1])
for line in sys.stdin:
    name, text = json.loads(line)
    try:
        words = ("s", (text,)) if text else ("", ())
        reply = bus.call_blocking(
            "org.virtnode.Node1", "/org/virtnode/Node1", "org.virtnode.Node1", name, *words, timeout=60)
        print(json.dumps(["", str(reply)]), flush=True)
    except dbus.exceptions.DBusException as error:
        print(json.dumps([error.get_dbus_name(), error.get_dbus_message()]), flush=True)
"""
SERVICE = """\
auth required pam_exec.so expose_authtok quiet {check}
account required {account}.so
"""
CHECK = """\
#!/bin/sh
test "$(tr -d '\\0')" = "$(cat {password})"
"""


class Stranger:
    """A connection to the bus of a user without rights."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, verb: Verb[Q, R], request: Q) -> R:
        """Ask the agent; raises the error that it sent."""
        document: Any = encode(request)
        text = json.dumps(document) if document else ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb.name, text]) + "\n")
        self._process.stdin.flush()
        name, answer = json.loads(self._process.stdout.readline())
        if name:
            raise make_error(name, decode(Failure, json.loads(answer)))
        return decode(verb.reply, json.loads(answer))


@contextlib.contextmanager
def stranger(address: str) -> Iterator[Stranger]:
    """Connect somebody who is not root."""
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    argv = [sys.executable, "-c", PROGRAM, address]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True, **who) as process:
        try:
            yield Stranger(process)
        finally:
            process.terminate()


def make_login(folder: Path, password: str, account: str = "pam_permit") -> Sequence[str]:
    """Set up a service of PAM that knows one password; returns the command that asks it."""
    folder.mkdir()
    check, known = folder / "check", folder / "password"
    known.write_text(password)
    check.write_text(CHECK.format(password=known))
    check.chmod(0o755)
    (folder / "virtnode").write_text(SERVICE.format(check=check, account=account))
    (folder / "other").write_text("auth required pam_deny.so\naccount required pam_deny.so\n")
    return (*LOGIN_COMMAND, str(folder))
