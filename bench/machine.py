"""The machine that figures come from: `python -m bench.machine`."""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """What a figure depends on beside the program; memory in MiB, load as in /proc/loadavg."""

    processor: str
    cores: int
    memory: int
    kernel: str
    distribution: str
    virtual: bool
    """Whether it is itself a virtual machine."""
    load: tuple[float, float, float]


def read_machine(root: Path = Path("/"), *, cores: int | None = None, kernel: str = "") -> Machine:
    """Describe the machine from /proc and /etc below `root`."""
    processors = (root / "proc/cpuinfo").read_text()
    memory = re.search(r"^MemTotal:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.M)
    release = (root / "etc/os-release").read_text()
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', release, re.M)
    model = re.search(r"^model name\s*:\s*(.*)", processors, re.M)
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", processors, re.M)
    one, five, fifteen = (float(word) for word in (root / "proc/loadavg").read_text().split()[:3])
    return Machine(
        processor=model[1].strip() if model else "unknown processor",
        cores=cores or len(os.sched_getaffinity(0)),
        memory=int(memory[1]) // 1024 if memory else 0,
        kernel=kernel or platform.release(),
        distribution=name[1] if name else "unknown distribution",
        virtual=flags is not None,
        load=(one, five, fifteen),
    )


def machine_line(machine: Machine) -> str:
    """Say a machine in one line."""
    kind = "virtual machine" if machine.virtual else "machine"
    load = " ".join(f"{value:.1f}" for value in machine.load)
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory / 1024:.0f} GiB ({kind}), "
        f"{machine.distribution}, kernel {machine.kernel}, load {load}"
    )


def print_machine() -> None:
    """Print what the figures that follow were taken on."""
    print(f"{machine_line(read_machine())}\n", flush=True)


if __name__ == "__main__":
    print_machine()
