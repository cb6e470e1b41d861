"""What another process takes: its memory, and what it had of the processors."""

import os
from pathlib import Path


def resident_bytes(pid: int, root: Path = Path("/")) -> int:
    """Read a process's memory that is in RAM."""
    for line in (root / f"proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def processor_seconds_of(pid: int, root: Path = Path("/")) -> float:
    """Add up what a process had of the processors, in user mode and in the kernel."""
    fields = (root / f"proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
