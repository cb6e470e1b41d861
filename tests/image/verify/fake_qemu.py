"""A program that opens QEMU's channels and plays a node by script, for tests without a machine."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from image.accelerator import Accelerator

PROGRAM = """\
#!{python}
import json, re, socket, sys

play = json.loads({play!r})
channels = {{}}
for word in sys.argv:
    match = re.fullmatch("socket,id=(.*),path=(.*)", word)
    if match:
        channels[match[1]] = socket.socket(socket.AF_UNIX)
        channels[match[1]].connect(match[2])
channels["console"].sendall(play["console"].encode())
channels["port0"].sendall(play["report"].encode())
if play["stays"]:
    monitor = channels["qmp"].makefile("rw")
    monitor.write(json.dumps({{"QMP": {{}}}}) + "\\n")
    monitor.flush()
    for line in monitor:
        command = json.loads(line)
        if command["execute"] == "screendump":
            with open(command["arguments"]["filename"], "wb") as screen:
                screen.write(b"PNG")
        monitor.write(json.dumps({{"return": {{}}}}) + "\\n")
        monitor.flush()
"""

SOUND = {
    "protocol": "1",
    "kernel": "6.12.117",
    "cmdline": "quiet",
    "firmware": "bios",
    "secure-boot": "absent",
    "state": "running",
    "settled-seconds": "25.50",
    "multi-user-microseconds": "20500000",
    "prompt-microseconds": "19000000",
    "memory-total-kib": "2097152",
    "memory-available-kib": "1835008",
    "libvirt-seconds": "26.25",
    "kvm-device": "yes",
    "kvm-domains": "yes",
}
"""What a sound node answers."""


def make_report(answers: Mapping[str, str] = SOUND, *, more: str = "", **changes: str) -> str:
    """Write a report as a node does; keyword arguments change answers, with `_` for `-`; empty drops one."""
    changed = {**answers, **{name.replace("_", "-"): value for name, value in changes.items()}}
    lines = [f"{name}={value}\n" for name, value in changed.items() if value]
    return "".join(lines) + more + "journal=[    1.0] systemd[1]: Welcome\nend=\n"


def error_line(message: str, *, source: str = "kernel", priority: int = 3) -> str:
    """Write an error of the journal as it stands in a report."""
    fields = {"PRIORITY": str(priority), "SYSLOG_IDENTIFIER": source, "MESSAGE": message}
    return f"error={json.dumps(fields)}\n"


def make_fake_qemu(folder: Path, *, console: str = "", report: str = "", stays: bool = True) -> Accelerator:
    """Write a QEMU that plays this console and report, and then stays until it is ended, or ends."""
    program = folder / "fake-qemu"
    play = json.dumps({"console": console, "report": report, "stays": stays})
    program.write_text(PROGRAM.format(python=sys.executable, play=play))
    program.chmod(0o755)
    return Accelerator(str(program), "fake", ())
