"""What Prometheus reads: figures of this process, in its text format."""

import bisect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


@dataclass(frozen=True)
class Sample:
    """One figure and its labels."""

    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Metric:
    """A named group of figures; `kind` is counter or gauge."""

    name: str
    kind: str
    about: str
    samples: tuple[Sample, ...]


Source = Callable[[], Iterable[Metric]]
"""Reads figures at the moment they are asked for; called on the event loop, so it does not wait."""


class Metrics:
    """Where figures come together: durations of requests, and what others contribute."""

    def __init__(self, sources: Iterable[Source] = (), proc: Path = Path("/proc")) -> None:
        self._sources = list(sources)
        self._proc = proc
        self._durations: dict[tuple[str, str, str], _Histogram] = {}

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Note one request; `path` is the endpoint's, not the client's, so there are few of them."""
        key = (method, path, f"{status // 100}xx")
        self._durations.setdefault(key, _Histogram()).observe(seconds)

    def render(self, more: Iterable[Metric] = ()) -> bytes:
        """Write everything."""
        metrics = [metric for source in self._sources for metric in source()]
        lines = [line for metric in (*metrics, *more, self._memory()) for line in _metric_lines(metric)]
        return "\n".join([*lines, *self._duration_lines(), ""]).encode()

    def _memory(self) -> Metric:
        resident = 0
        for line in (self._proc / "self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                resident = int(line.split()[1]) * 1024
        return Metric(
            "process_resident_memory_bytes", "gauge", "Memory of the engine.", (Sample(resident, {}),)
        )

    def _duration_lines(self) -> list[str]:
        name = "virtnode_request_duration_seconds"
        lines = _head(name, "histogram", "How long requests took.")
        for (method, path, status), histogram in sorted(self._durations.items()):
            labels = {"method": method, "path": path, "status": status}
            for bound, count in histogram.cumulative():
                lines.append(f"{name}_bucket{_labels({**labels, 'le': bound})} {count}")
            lines.append(f"{name}_sum{_labels(labels)} {histogram.total:.6f}")
            lines.append(f"{name}_count{_labels(labels)} {histogram.count}")
        return lines


class _Histogram:
    """Counts by upper bound."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        return sum(self._counts)

    def observe(self, value: float) -> None:
        self._counts[bisect.bisect_left(BUCKETS, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, int]]:
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        return [(bound, sum(self._counts[: place + 1])) for place, bound in enumerate(bounds)]


def _metric_lines(metric: Metric) -> list[str]:
    samples = [f"{metric.name}{_labels(one.labels)} {one.value:.15g}" for one in metric.samples]
    return _head(metric.name, metric.kind, metric.about) + samples


def _head(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
