"""What a joined agent takes while nothing happens: `python -m bench.agent_idle OUT`, the folder of a build.

The node runs in QEMU. Where that emulates, a second of its processor is worth much less than one of the host.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from image.accelerator import choose_accelerator
from image.qemu import HOST_ADDRESS
from tests.vm.guest import Guest
from tests.vm.joining import make_node, running_engine

SETTLE_SECONDS = 60.0
TICKS = 100
"""Of a second, in /proc: the same on every Linux that a node is made of."""
QUESTION = """\
pid=$(systemctl show --value --property MainPID virtnode-agent.service)
grep -E '^(VmRSS|VmHWM):' /proc/$pid/status
cut -d' ' -f14,15 /proc/$pid/stat
cat /proc/uptime
"""


def main() -> None:
    """Boot, join, wait, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.agent_idle", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of a finished build")
    parser.add_argument("--seconds", type=float, default=300.0)
    arguments = parser.parse_args()
    print_machine()
    accelerator = choose_accelerator()
    print(f"emulation: {accelerator.name}\n", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="vn-") as folder,
        running_engine(Path(folder)) as engine,
    ):
        token = engine.call("token", "create", "--uses", "1", "--expires", "1h").split()[0]
        address = f"{HOST_ADDRESS}:{engine.link_port}"
        words = (f"node.engine={address}", f"node.ca={engine.pin()}", f"node.token={token}")
        node = make_node(arguments.out, Path(folder, "node"), accelerator, arguments=words)
        node.switch_on()
        try:
            engine.wait_for_state("up")
            node.wait_for_shell()
            time.sleep(SETTLE_SECONDS)
            print(measure(node, arguments.seconds))
        finally:
            node.pull_the_plug()


def measure(node: Guest, seconds: float) -> str:
    """Ask twice, and draw what was between."""
    _, _, before, begun = read_answer(node.run(QUESTION))
    time.sleep(seconds)
    resident, peak, after, ended = read_answer(node.run(QUESTION))
    share = 100 * (after - before) / (ended - begun)
    row = [f"{resident / 1e6:.1f}", f"{peak / 1e6:.1f}", f"{share:.2f}", f"{ended - begun:.0f}"]
    return markdown_table(["RSS, MB", "peak RSS, MB", "% of one core", "over seconds"], [row])


def read_answer(text: str) -> tuple[int, int, float, float]:
    """Read resident bytes, their peak, seconds of processors, and seconds since the node's start."""
    lines = text.splitlines()
    memory = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines[:2]}
    ticks = sum(int(word) for word in lines[2].split())
    return memory["VmRSS"], memory["VmHWM"], ticks / TICKS, float(lines[3].split()[0])


if __name__ == "__main__":
    main()
