"""What the console takes, and how soon it answers: `python -m bench.console --artefacts OUT` of a build.

The node runs in QEMU, with its console on a screen and on one serial line. Where QEMU emulates, seconds are
worth much less than on hardware; memory and bytes are the same.
"""

import argparse
import select
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyte

from bench.figures import markdown_table
from bench.machine import print_machine
from image.accelerator import choose_accelerator
from tests.vm.guest import Guest, with_screen
from tests.vm.joining import make_node
from tests.vm.terminal import RESET, Answering

AGENT = "agent"
FRAME = ("F1 Help", "Status", "VMs running")
"""What the first full frame has: menu, keys, and the last line that comes from the agent."""
FRAME_SECONDS = 900.0
KEYS = "3456901"
"""Each opens a screen, so that most of the picture is drawn anew; none begins with a field to type in."""
QUIET, PATIENCE = 1.0, 30.0
"""Seconds without a byte after which a redraw is over, and how long its first byte may take."""
MEMORY = """\
agent=$(systemctl show --value --property MainPID virtnode-agent.service)
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    name=
    if [ "$pid" = "$agent" ]; then
        name=agent
    elif [ "$(stat -c %U "$folder" 2>/dev/null)" = virtnode-console ]; then
        name=console-$(readlink "$folder/fd/0" | sed s,/dev/,,)
    fi
    [ -z "$name" ] || awk -v name="$name" '
        /^Rss:/ { rss = $2 } /^Pss:/ { pss = $2 } END { print name, rss, pss }' "$folder/smaps_rollup"
done
"""


@dataclass(frozen=True)
class Memory:
    """What a process has in RAM, in bytes; `pss` counts what it shares in parts."""

    name: str
    rss: int
    pss: int


@dataclass(frozen=True)
class Measured:
    """All figures of one boot; seconds, bytes."""

    memory: tuple[Memory, ...]
    frame: float
    """From power-on to the first full frame on the serial line."""
    firmware: float
    """Of it before the kernel's start; below zero it could not be told."""
    bytes_per_minute: float
    redraws: tuple[float, ...]


class SerialLine:
    """The host's end of a node's first serial line, and what a terminal shows of it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._screen = Answering(line.sendall)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self._screen.display)

    def read(self, seconds: float) -> int:
        """Take what arrives within some seconds, at most once, and count its bytes."""
        if not select.select([self._line], [], [], max(seconds, 0.0))[0]:
            return 0
        data = self._line.recv(1 << 16)
        if not data:
            raise EOFError("the machine has ended")
        self._stream.feed(data.replace(RESET, b""))
        return len(data)

    def wait_for_frame(self, seconds: float) -> float:
        """Read until the first full frame is there; gives the moment by the host's clock."""
        end = time.monotonic() + seconds
        while not is_frame(self.text):
            if time.monotonic() > end:
                raise TimeoutError(f"no full frame in {seconds:.0f} s; the line shows:\n{self.text}")
            self.read(1.0)
        return time.monotonic()

    def count(self, seconds: float) -> int:
        """Count the bytes that come within some seconds."""
        end, found = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            found += self.read(end - time.monotonic())
        return found

    def drain(self) -> None:
        """Take what is still on its way, until the line is quiet."""
        while self.read(QUIET):
            pass

    def redraw(self, key: str) -> float:
        """Press a key and give the seconds until the last byte of what it draws."""
        self.drain()
        begun = time.monotonic()
        self._line.sendall(key.encode())
        last, patience = 0.0, PATIENCE
        while self.read(patience):
            last, patience = time.monotonic() - begun, QUIET
        if not last:
            raise TimeoutError(f"the key {key} draws nothing")
        return last


def main() -> None:
    """Boot, wait, measure, and print the table."""
    arguments = parse_arguments()
    print_machine()
    accelerator = choose_accelerator()
    print(f"emulation: {accelerator.name}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="vn-") as folder:
        node = with_screen(make_node(arguments.artefacts, Path(folder, "node"), accelerator))
        begun = time.monotonic()
        node.switch_on()
        try:
            print(figures_table(measure(node, begun, arguments.seconds, arguments.keys)))
        finally:
            node.pull_the_plug()


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument(
        "--artefacts", type=Path, required=True, metavar="DIR", help="the folder of a finished build"
    )
    parser.add_argument("--seconds", type=float, default=300.0, help="at rest (default: 300)")
    parser.add_argument("--keys", type=int, default=20, help="keys to press (default: 20)")
    return parser.parse_args(words)


def measure(node: Guest, begun: float, seconds: float, keys: int) -> Measured:
    """Wait for the first frame, leave the node alone, ask for memory, then press keys."""
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(str(node.hardware.folder / "console.socket"))
        line = SerialLine(end)
        frame = line.wait_for_frame(FRAME_SECONDS) - begun
        node.wait_for_shell()
        # The host counts from power-on, the node from its kernel's start: what is between is firmware.
        uptime = float(node.run("cat /proc/uptime").split()[0])
        firmware = time.monotonic() - begun - uptime
        line.drain()
        at_rest = line.count(seconds)
        memory = parse_memory(node.run(MEMORY))
        redraws = tuple(line.redraw(KEYS[number % len(KEYS)]) for number in range(keys))
    return Measured(memory, frame, firmware, at_rest * 60 / seconds, redraws)


def is_frame(text: str) -> bool:
    """Tell whether a screen shows a full frame, and not the boot menu or a part of one."""
    return all(word in text for word in FRAME)


def parse_memory(text: str) -> tuple[Memory, ...]:
    """Read a line a process, in KiB: the agent first, then consoles by their terminals."""
    rows = [line.split() for line in text.splitlines()]
    found = [Memory(name, int(rss) << 10, int(pss) << 10) for name, rss, pss in rows]
    return tuple(sorted(found, key=lambda memory: (memory.name != AGENT, memory.name)))


def percentile(values: Sequence[float], share: float) -> float:
    """Give the least value that so large a share of them does not exceed."""
    ordered = sorted(values)
    place = -(-len(ordered) * round(share * 100) // 100)
    return ordered[max(place, 1) - 1]


def figures_table(measured: Measured) -> str:
    """Draw a row a figure."""
    rows = []
    for memory in (*measured.memory, total(measured.memory)):
        rows.append([f"{memory.name}, RSS", f"{memory.rss / 1e6:.1f}", "MB"])
        rows.append([f"{memory.name}, PSS", f"{memory.pss / 1e6:.1f}", "MB"])
    rows += [
        ["power-on to the first full frame, serial", f"{measured.frame:.1f}", "s"],
        ["kernel's start to the first full frame, serial", f"{measured.frame - measured.firmware:.1f}", "s"],
        ["serial line at rest", f"{measured.bytes_per_minute:.0f}", "bytes/min"],
        [
            f"key to redraw, serial, p50 of {len(measured.redraws)}",
            f"{1e3 * median(measured.redraws):.0f}",
            "ms",
        ],
        ["key to redraw, serial, p95", f"{1e3 * percentile(measured.redraws, 0.95):.0f}", "ms"],
    ]
    return markdown_table(["figure", "value", "unit"], rows)


def total(memories: Sequence[Memory]) -> Memory:
    """Add processes up; PSS alone can be added without counting twice what they share."""
    return Memory("sum", sum(one.rss for one in memories), sum(one.pss for one in memories))


if __name__ == "__main__":
    main()
