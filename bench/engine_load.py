"""A thousand simulated nodes on one engine, and as many bare WebSocket connections beside it.

`python -m bench.engine_load`: engine, nodes and the client of the API all run on this machine.
"""

import argparse
import contextlib
import json
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from bench.process import processor_seconds_of, resident_bytes
from nodelib.run import run

LINK_PORT, REST_PORT, FLOOR_PORT = 17443, 18443, 19443
HEARTBEAT_BYTES = 300
"""About what a heartbeat without facts takes on the wire."""
OWN_TIMES = {
    "heartbeats": 'virtnode_link_answer_seconds_bucket{verb="heartbeat"',
    "registrations": 'virtnode_link_answer_seconds_bucket{verb="register"',
    "lists of hosts": 'virtnode_request_duration_seconds_bucket{method="GET",path="/ovirt-engine/api/hosts"',
}
"""What the engine measures of itself, and where its metrics have it."""
PAUSE = 0.1
"""Seconds between two questions to the API."""
START_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """What a server took while connections were kept, and how fast it answered them."""

    resident: int
    processor: float
    clock: float
    median_ms: float
    late_ms: float
    """The 99th percentile."""


@dataclass(frozen=True)
class Measured:
    """The engine, the floor, and the API meanwhile."""

    engine: Load
    floor: Load
    simulation: Mapping[str, object]
    api_ms: tuple[float, ...]
    quiet_api_ms: tuple[float, ...]
    """Those of the second half of the time with all nodes: nobody registers or dials any more."""
    metrics: str = ""
    """What the engine itself measured, as Prometheus reads it."""


class ApiClient(threading.Thread):
    """Asks the API for the list of hosts, again and again, and times the answers."""

    def __init__(self, password: str) -> None:
        super().__init__(daemon=True)
        self.taken_ms: list[float] = []
        self.ended: list[float] = []
        """When each answer came, by the monotonic clock."""
        self._stop_asking = threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.check_hostname, self._context.verify_mode = False, ssl.CERT_NONE
        self._base = f"https://127.0.0.1:{REST_PORT}/ovirt-engine"
        self._token = self._log_in(password)

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._stop_asking.wait(PAUSE):
            begun = time.perf_counter()
            self._ask(f"{self._base}/api/hosts?max=20", {"Authorization": f"Bearer {self._token}"})
            self.taken_ms.append((time.perf_counter() - begun) * 1e3)
            self.ended.append(time.monotonic())

    def stop(self) -> str:
        """Ask no more, but what the engine has measured itself."""
        self._stop_asking.set()
        self.join()
        url = f"https://127.0.0.1:{REST_PORT}/metrics"
        return self._ask(url, {"Authorization": f"Bearer {self._token}"}).decode()

    def _log_in(self, password: str) -> str:
        form = f"grant_type=password&scope=ovirt-app-api&username=admin@internal&password={password}"
        answer = self._ask(f"{self._base}/sso/oauth/token", {"Accept": "application/json"}, form.encode())
        token: str = json.loads(answer)["access_token"]
        return token

    def _ask(self, url: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        request = urllib.request.Request(url, body, dict(headers))
        with urllib.request.urlopen(request, context=self._context) as answer:
            content: bytes = answer.read()
            return content


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.engine_load", description=__doc__)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="virtnode-bench-") as folder:
        measured = measure(Path(folder), arguments.nodes, arguments.seconds)
    print(f"simulation: {json.dumps(measured.simulation)}\n")
    print(loads_table(measured))
    print(f"\n{api_line(measured.api_ms)}")
    print(f"of these once all nodes are joined: {api_line(measured.quiet_api_ms)}")
    print("without the way to and from nodes and client, which compete for the same processors:")
    for what, selector in OWN_TIMES.items():
        print(f"{what}: 99 of 100 within {late_bound_ms(measured.metrics, selector):g} ms")


def measure(folder: Path, nodes: int, seconds: float) -> Measured:
    """Load the engine, then the floor, with as many connections for as long."""
    home, log = folder / "engine", folder / "engine.log"
    serve = ["engine.main", "serve", "--home", str(home), "--listen", "127.0.0.1"]
    serve += ["--link-port", str(LINK_PORT), "--rest-port", str(REST_PORT)]
    with running(serve, log, "password ") as engine:
        words = log.read_text()
        pin, password = find(r"sha256:[0-9a-f]{64}", words), find(r"password +(\S+)", words)
        call = [sys.executable, "-m", "engine.main"]
        created = run([*call, "token", "create", "--uses", str(nodes), "--expires", "1h", "--home", home])
        simulate = [*call, "simulate", "--engine", f"127.0.0.1:{LINK_PORT}", "--pin", pin, "--json"]
        simulate += ["--token", find(r"vnt_\S+", created.stdout), "--nodes", str(nodes)]
        client = ApiClient(password)
        client.start()
        simulation, taken = loaded(engine.pid, [*simulate, "--seconds", str(seconds)])
        metrics = client.stop()
        quiet = time.monotonic() - seconds / 2
    beats = simulation["heartbeat_ms"]
    assert isinstance(beats, list)
    engine_load = Load(*taken, median_ms=beats[0], late_ms=beats[1])
    floor = ["bench.websocket_floor", "serve", "--port", str(FLOOR_PORT), "--bytes", str(HEARTBEAT_BYTES)]
    with running([*floor, "--certificate", str(home / "server.pem")], folder / "floor.log", "") as server:
        load = [sys.executable, "-m", "bench.websocket_floor", "load", "--port", str(FLOOR_PORT)]
        load += ["--bytes", str(HEARTBEAT_BYTES), "--connections", str(nodes), "--seconds", str(seconds)]
        figures, taken = loaded(server.pid, load)
    floor_load = Load(*taken, median_ms=number(figures, "median_ms"), late_ms=number(figures, "late_ms"))
    answers = zip(client.taken_ms, client.ended, strict=True)
    late = tuple(taken_ms for taken_ms, ended in answers if ended > quiet)
    return Measured(engine_load, floor_load, simulation, tuple(client.taken_ms), late, metrics)


@contextlib.contextmanager
def running(module: Sequence[str], log: Path, sign: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of ours as a server, once its log shows `sign`, and end it."""
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", *module], stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while sign not in log.read_text() or not _listens(process.pid):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text())
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait()


def _listens(pid: int) -> bool:
    """Tell whether a process has a listening socket: the state 0A of one of its own."""
    own = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if link.is_symlink() and str(link.readlink()).startswith("socket:")
    }
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[3] == "0A" and row[9] in own for row in rows)


def loaded(pid: int, load: Sequence[str | Path]) -> tuple[dict[str, object], tuple[int, float, float]]:
    """Run a load against a process; return what the load printed, and the server's bytes and seconds."""
    processor, clock, peak = processor_seconds_of(pid), time.monotonic(), 0
    with subprocess.Popen([str(word) for word in load], stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, resident_bytes(pid))
            time.sleep(0.5)
        assert process.stdout is not None
        figures: dict[str, object] = json.loads(process.stdout.read())
    return figures, (peak, processor_seconds_of(pid) - processor, time.monotonic() - clock)


def find(pattern: str, text: str) -> str:
    """Find what a program printed: the pattern's group, or all of it."""
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"no {pattern} in {text}")
    return found[found.lastindex or 0]


def number(figures: Mapping[str, object], name: str) -> float:
    """Take a figure."""
    value = figures[name]
    assert isinstance(value, int | float)
    return float(value)


def loads_table(measured: Measured) -> str:
    """Draw what the engine took beside the floor."""
    rows = [
        [
            name,
            f"{load.resident / 1e6:.0f}",
            f"{load.processor:.1f}",
            f"{load.clock:.0f}",
            f"{load.median_ms:.1f}",
            f"{load.late_ms:.1f}",
        ]
        for name, load in (("engine", measured.engine), ("bare connections", measured.floor))
    ]
    header = ["server", "peak RSS, MB", "processor, s", "run, s", "answer, median ms", "answer, p99 ms"]
    return markdown_table(header, rows)


def late_bound_ms(metrics: str, selector: str) -> float:
    """Read from a histogram how long 99 of 100 took at the most, as far as its bounds tell."""
    lines = [line for line in metrics.splitlines() if line.startswith(selector)]
    bounds = [(float(find(r'le="([^"]+)"', line)), int(line.rsplit(" ", 1)[1])) for line in lines]
    enough = bounds[-1][1] * 0.99
    return next(bound for bound, count in bounds if count >= enough) * 1e3


def api_line(taken_ms: Sequence[float]) -> str:
    """Say how fast the API answered meanwhile."""
    late = sorted(taken_ms)[int(len(taken_ms) * 0.99)]
    return (
        f"API, list of 20 hosts: {len(taken_ms)} requests, "
        f"median {statistics.median(taken_ms):.1f} ms, p99 {late:.1f} ms"
    )


if __name__ == "__main__":
    main()
