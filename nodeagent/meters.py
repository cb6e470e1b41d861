"""How busy the node is: counters of the kernel, and what they grew by since somebody asked before."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.facts.processor import collect_memory
from nodeagent.facts.sources import read_number, read_text
from nodeagent.facts.virtualisation import count_guests
from nodeagent.health import read_load, read_uptime
from nodeagent.state_disk import MOUNT_POINT, read_state
from nodelib.bus_system import LinkMeter, Meters, StorageMeter

SHORTEST = 0.9
"""Seconds between two samples: whoever asks sooner gets the rates of the last ones, as others may ask too."""
IDLE_FIELDS = (3, 4)
"""Of the first line of /proc/stat: idle, and waiting for a disk."""
GUEST_FIELD = 8
"""From here on the line counts what it has counted before."""


@dataclass(frozen=True)
class Sample:
    """The counters at a moment."""

    time: float
    busy: int = 0
    ticks: int = 0
    traffic: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Bytes received and sent, by link."""


class MeterReader:
    """Reads the meters; every method may be called from every thread."""

    def __init__(self, root: Path, clock: Callable[[], float]) -> None:
        self._root = root
        self._clock = clock
        self._lock = threading.Lock()
        self._before = self._now = Sample(clock())

    def read(self, links: Sequence[str]) -> Meters:
        """Read all meters; those of the links that are named."""
        with self._lock:
            if not self._now.ticks or self._clock() - self._now.time >= SHORTEST:
                self._before, self._now = self._now, take_sample(self._root, links, self._clock())
            before, now = self._before, self._now
        memory = collect_memory(self._root)
        return Meters(
            uptime=read_uptime(self._root),
            load=read_load(self._root),
            cpu_percent=_cpu_percent(before, now),
            memory_total_bytes=memory.total_bytes,
            memory_used_bytes=max(0, memory.total_bytes - memory.available_bytes),
            links=tuple(_link_meter(name, before, now) for name in links),
            storage=read_storage(self._root),
            guests_running=count_guests(self._root),
        )


def take_sample(root: Path, links: Sequence[str], now: float) -> Sample:
    """Read the counters; what cannot be read counts nothing."""
    first = read_text(root / "proc/stat").partition("\n")[0].split()[1:]
    ticks = [int(word) for word in first[:GUEST_FIELD] if word.isdecimal()]
    idle = sum(ticks[place] for place in IDLE_FIELDS if place < len(ticks))
    traffic = {name: (_bytes(root, name, "rx"), _bytes(root, name, "tx")) for name in links}
    return Sample(now, sum(ticks) - idle, sum(ticks), traffic)


def read_storage(root: Path) -> tuple[StorageMeter, ...]:
    """Tell how full the state disk is, if it is in use, and the memory that takes all other changes."""
    found = [_storage_meter("memory", root)]
    if read_state(root).kind == "disk":
        found.insert(0, _storage_meter("state", root / MOUNT_POINT))
    return tuple(found)


def _storage_meter(name: str, path: Path) -> StorageMeter:
    try:
        found = os.statvfs(path)
    except OSError:
        return StorageMeter(name)
    # What is kept for root is as good as used, as df has it.
    used = (found.f_blocks - found.f_bfree) * found.f_frsize
    return StorageMeter(name, used, used + found.f_bavail * found.f_frsize)


def _bytes(root: Path, name: str, way: str) -> int:
    return read_number(root / f"sys/class/net/{name}/statistics/{way}_bytes") or 0


def _cpu_percent(before: Sample, now: Sample) -> float:
    ticks = now.ticks - before.ticks
    return round(min(100.0, max(0.0, 100.0 * (now.busy - before.busy) / ticks)), 1) if ticks > 0 else 0.0


def _link_meter(name: str, before: Sample, now: Sample) -> LinkMeter:
    seconds = now.time - before.time
    if seconds <= 0 or name not in before.traffic or name not in now.traffic:
        return LinkMeter(name)
    # A link that was made anew counts from nought.
    rates = [
        max(0.0, (new - old) / seconds)
        for old, new in zip(before.traffic[name], now.traffic[name], strict=True)
    ]
    return LinkMeter(name, *rates)
