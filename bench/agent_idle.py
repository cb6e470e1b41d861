"""What a joined agent takes while nothing happens.

`python -m bench.agent_idle OUT`, the folder of a build: a node that runs in QEMU. Where that emulates, a
second of its processor is worth much less than one of the host. Without OUT the agent runs here, over a
made-up machine and joined to a stand-in for an engine.
"""

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from image.accelerator import choose_accelerator
from image.qemu import HOST_ADDRESS
from nodeagent.bus_client import BusClient
from nodelib.bus import JOIN, STATUS, JoinRequest
from nodelib.link import Nothing
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import private_bus
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.test_daemon import start
from tests.nodeagent.test_link import make_engine
from tests.vm.guest import Guest
from tests.vm.joining import make_node, running_engine

SETTLE_SECONDS = 60.0
TICKS = 100
"""Of a second, in /proc: the same on every Linux that a node is made of."""
MEMORY = re.compile(r"^(VmRSS|VmHWM):\s+(\d+) kB$", re.MULTILINE)
QUESTION = """\
pid=$(systemctl show --value --property MainPID virtnode-agent.service)
grep -E '^(VmRSS|VmHWM):' /proc/$pid/status
cat /proc/$pid/stat /proc/uptime
"""


@dataclass(frozen=True)
class Usage:
    """Bytes, and seconds since the start of process and machine."""

    resident: int
    peak: int
    own: float
    """Of a processor, by the agent."""
    commands: float
    """Of a processor, by the commands that it ran and that have ended."""
    time: float


def main() -> None:
    """Start a node or the agent alone, join, wait, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.agent_idle", description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", help="the folder of a finished build")
    parser.add_argument("--seconds", type=float, default=300.0)
    arguments = parser.parse_args()
    print_machine()
    if arguments.out is None:
        run_here(arguments.seconds)
    else:
        run_node(arguments.out, arguments.seconds)


def run_node(out: Path, seconds: float) -> None:
    """Measure the agent of a node in QEMU."""
    accelerator = choose_accelerator()
    print(f"emulation: {accelerator.name}\n", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="vn-") as folder,
        running_engine(Path(folder)) as engine,
    ):
        token = engine.call("token", "create", "--uses", "1", "--expires", "1h").split()[0]
        address = f"{HOST_ADDRESS}:{engine.link_port}"
        words = (f"node.engine={address}", f"node.ca={engine.pin()}", f"node.token={token}")
        node = make_node(out, Path(folder, "node"), accelerator, arguments=words)
        node.switch_on()
        try:
            engine.wait_for_state("up")
            node.wait_for_shell()
            time.sleep(SETTLE_SECONDS)
            print(measure(node, seconds))
        finally:
            node.pull_the_plug()


def run_here(seconds: float) -> None:
    """Measure the agent on this machine."""
    authority = Authority(time.time())
    with tempfile.TemporaryDirectory(prefix="vn-") as name:
        folder = Path(name)
        with (
            make_engine(authority, folder).running() as engine,
            private_bus(folder / "bus") as address,
            start(folder, address) as daemon,
        ):
            try:
                wait_for((folder / "root/run/virtnode/status.json").exists)
                client = BusClient(address)
                client.call(JOIN, JoinRequest(engine.address, (authority.pin,)))
                wait_for(lambda: client.call(STATUS, Nothing()).connected)
                client.close()
                time.sleep(SETTLE_SECONDS)
                print(compare(lambda: read_here(daemon.pid), seconds))
            finally:
                daemon.terminate()
                daemon.communicate()


def measure(node: Guest, seconds: float) -> str:
    """Ask a node twice, and draw what was between."""
    return compare(lambda: read_answer(node.run(QUESTION)), seconds)


def compare(ask: Callable[[], Usage], seconds: float) -> str:
    """Look twice, and draw what was between."""
    before = ask()
    time.sleep(seconds)
    after = ask()
    passed = after.time - before.time
    own, commands = after.own - before.own, after.commands - before.commands
    row = [f"{after.resident / 1e6:.1f}", f"{after.peak / 1e6:.1f}", f"{100 * own / passed:.2f}"]
    row += [f"{100 * (own + commands) / passed:.2f}", f"{passed:.0f}"]
    header = ["RSS, MB", "peak RSS, MB", "% of one core", "with its commands", "over seconds"]
    return markdown_table(header, [row])


def read_here(pid: int) -> Usage:
    """Look at a process of this machine."""
    files = (f"/proc/{pid}/status", f"/proc/{pid}/stat", "/proc/uptime")
    return read_answer("".join(Path(file).read_text() for file in files))


def read_answer(text: str) -> Usage:
    """Read lines of a process's status, then its times and the machine's."""
    memory = {name: int(number) * 1024 for name, number in MEMORY.findall(text)}
    stat, uptime = text.splitlines()[-2:]
    own = [int(word) / TICKS for word in stat.rpartition(")")[2].split()[11:15]]
    return Usage(memory["VmRSS"], memory["VmHWM"], sum(own[:2]), sum(own[2:]), float(uptime.split()[0]))


if __name__ == "__main__":
    main()
