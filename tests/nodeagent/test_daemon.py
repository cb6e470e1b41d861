"""The daemon as a process: ready for its service manager, small, and gone when told to go."""

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.bus_client import BusClient
from nodeagent.main import Signals
from nodeagent.notify import Notifier
from nodelib.bus import JOIN, STATUS, JoinRequest, Status
from nodelib.link import Nothing
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import private_bus
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.machines import MACHINE, make_machine
from tests.nodeagent.node_trees import FakeServices
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
CHECKOUT = Path(__file__).parents[2]
LARGEST = 47 * 1024
"""KiB of memory that the agent may take."""
BUSIEST = 0.005
"""Share of a processor that an idle agent may take."""

DAEMON = """
    import sys
    from nodeagent.main import serve
    from nodeagent.notify import Notifier
    from nodeagent.options import read_options
    from tests.nodeagent.node_trees import FakeServices
    serve(read_options(sys.argv[1:]), FakeServices(), Notifier())
"""


@pytest.fixture
def notifications(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen as a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        yield sock


def start(tmp_path: Path, address: str) -> "subprocess.Popen[str]":
    """Start the daemon over a made-up machine, with services that only write down what they are asked."""
    root = make_machine(tmp_path / "root", MACHINE)
    environment = {
        **os.environ,
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "1000000",
        **unit_environment(),
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), *filter(None, sys.path)]),
    }
    # As the launcher does on a node, without what a developer's Python has to add.
    argv = [sys.executable, "-S", "-c", textwrap.dedent(DAEMON), "--root", str(root), "--bus", address]
    return subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True)


def unit_environment() -> dict[str, str]:
    """Return what the agent's unit sets."""
    lines = (CHECKOUT / "nodeagent/units/virtnode-agent.service").read_text().splitlines()
    words = " ".join(line.partition("=")[2] for line in lines if line.startswith("Environment=")).split()
    return dict(word.split("=", 1) for word in words)


def hear(notifications: socket.socket, wanted: str) -> str:
    """Wait for a word to the service manager."""
    while True:
        message = notifications.recv(4096).decode()
        if wanted in message:
            return message


def test_it_is_ready_lives_and_stops(tmp_path: Path, notifications: socket.socket) -> None:
    """READY once the name is taken, signs of life from the main loop, and a clean end on SIGTERM."""
    with private_bus(tmp_path / "bus") as address, start(tmp_path, address) as daemon:
        hear(notifications, "READY=1")
        client = BusClient(address)
        assert client.call(STATUS, Nothing()).hostname == "node1.example.org"
        client.close()
        hear(notifications, "STATUS=no engine is set")
        hear(notifications, "WATCHDOG=1")
        daemon.send_signal(signal.SIGTERM)
        hear(notifications, "STOPPING=1")
        assert daemon.wait(20) == 0
        assert daemon.stderr is not None
        assert "Traceback" not in daemon.stderr.read()
    assert (tmp_path / "root/run/virtnode/status.json").stat().st_mode & 0o777 == 0o644
    assert (tmp_path / "root/var/lib/virtnode/identity/key.pem").stat().st_mode & 0o777 == 0o600


def test_it_is_small_and_quiet(
    tmp_path: Path, notifications: socket.socket, engine: EngineDouble, authority: Authority
) -> None:
    """Joined to an engine, it stays within its memory, and asks next to nothing of the processor."""
    with private_bus(tmp_path / "bus") as address, start(tmp_path, address) as daemon:
        try:
            hear(notifications, "READY=1")
            client = BusClient(address)
            client.call(JOIN, JoinRequest(engine.address, (authority.pin,)))
            wait_for(lambda: client.call(STATUS, Nothing()).connected)
            client.close()
            hear(notifications, "joined to")
            began, before = time.monotonic(), processor_seconds(daemon.pid)
            wait_for(lambda: time.monotonic() - began > 8)
            used = processor_seconds(daemon.pid) - before
            share = used / (time.monotonic() - began)
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            resident = int(re.findall(r"VmRSS:\s+(\d+)", status)[0])
            print(f"resident {resident} KiB, processor {share:.2%}")
            assert resident <= LARGEST
            # A tick of the clock that measures this is 10 ms.
            assert used <= 8 * BUSIEST + 0.02
        finally:
            daemon.terminate()
            daemon.wait(20)
            assert daemon.stderr is not None
            daemon.stderr.close()


def processor_seconds(pid: int) -> float:
    """Tell how long a process has been running on a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_a_bus_it_says_so(tmp_path: Path) -> None:
    """One line, and a status that makes systemd try again."""
    with start(tmp_path, f"unix:path={tmp_path}/none") as daemon:
        _, errors = daemon.communicate(timeout=30)
    assert daemon.returncode != 0
    assert "system bus cannot be reached" in errors


def test_nobody_is_told_without_a_service_manager(tmp_path: Path) -> None:
    """Without NOTIFY_SOCKET nothing is sent, and an abstract address is understood."""
    Notifier({}).say(READY="1")
    assert Notifier({}).watchdog_interval is None
    assert Notifier({"WATCHDOG_USEC": "60000000"}).watchdog_interval == 30
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0virtnode-test-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@virtnode-test-{os.getpid()}"}).say(STATUS="two\nlines", READY="1")
        assert sock.recv(100) == b"STATUS=two lines\nREADY=1"


def test_news_are_put_on_the_login_banner(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Once somebody sees it, even while it is being made; a service manager that refuses stops nothing."""
    services, prompt = FakeServices(), tmp_path / "login-prompt"
    Signals(Notifier({}), services, prompt).status(Status())
    assert services.calls == []
    prompt.touch()
    Signals(Notifier({}), services, prompt).status(Status())
    assert services.calls == ["restart virtnode-banner.service soon"]
    Signals(Notifier({}), FakeServices(refuse="restart"), prompt).status(Status())
    assert "banner is not up to date" in caplog.text
