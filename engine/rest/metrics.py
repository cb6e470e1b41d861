"""What Prometheus reads: figures of this process, in its text format."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.histogram import Timings

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


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

    def __init__(
        self, sources: Iterable[Source] = (), timings: Iterable[Timings] = (), proc: Path = Path("/proc")
    ) -> None:
        self._sources = list(sources)
        self._proc = proc
        self._requests = Timings(
            "virtnode_request_duration_seconds", "How long requests took.", ("method", "path", "status")
        )
        self._timings = (*timings, self._requests)

    def observe(self, method: str, path: str, status: int, seconds: float) -> None:
        """Note one request; `path` is the endpoint's, not the client's, so there are few of them."""
        self._requests.observe((method, path, f"{status // 100}xx"), seconds)

    def render(self, more: Iterable[Metric] = ()) -> bytes:
        """Write everything."""
        metrics = [metric for source in self._sources for metric in source()]
        lines = [line for metric in (*metrics, *more, self._memory()) for line in _metric_lines(metric)]
        lines += [line for timings in self._timings for line in _timing_lines(timings)]
        return "\n".join([*lines, ""]).encode()

    def _memory(self) -> Metric:
        resident = 0
        for line in (self._proc / "self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                resident = int(line.split()[1]) * 1024
        return Metric(
            "process_resident_memory_bytes", "gauge", "Memory of the engine.", (Sample(resident, {}),)
        )


def _metric_lines(metric: Metric) -> list[str]:
    samples = [f"{metric.name}{_labels(one.labels)} {one.value:.15g}" for one in metric.samples]
    return _head(metric.name, metric.kind, metric.about) + samples


def _timing_lines(timings: Timings) -> list[str]:
    name = timings.name
    lines = _head(name, "histogram", timings.about)
    for labels, histogram in timings.all():
        for bound, count in histogram.cumulative():
            lines.append(f"{name}_bucket{_labels({**labels, 'le': bound})} {count}")
        lines.append(f"{name}_sum{_labels(labels)} {histogram.total:.6f}")
        lines.append(f"{name}_count{_labels(labels)} {histogram.count}")
    return lines


def _head(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
