"""A private D-Bus daemon, and an agent that runs on it over a made-up machine."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from nodeagent import bus_service
from nodeagent.administrator import LOGIN_COMMAND
from nodeagent.agent import Agent, Listeners
from nodeagent.applier import Applier
from nodeagent.bus_client import BusClient
from nodeagent.bus_service import BusService, Method
from nodeagent.clocks import Clocks
from nodeagent.facts.collector import FactsCollector
from nodeagent.facts.sources import Command
from nodeagent.guard import Guard
from nodeagent.ladder import LadderWatch
from nodeagent.ladder_checks import Gateway
from nodeagent.methods.table import agent_methods
from nodelib.bus import LadderReply, Status
from nodelib.main_loop import MainLoop
from tests.nodeagent.machines import MACHINE, Commands, at_once, make_machine
from tests.nodeagent.node_trees import FakeServices

CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {policy}
</busconfig>
"""
OPEN_POLICY = """<policy context="default">
    <allow send_destination="*" eavesdrop="false"/><allow own="*"/><allow receive_sender="*"/>
  </policy>"""


@contextlib.contextmanager
def private_bus(folder: Path, policy: str = OPEN_POLICY) -> Iterator[str]:
    """Run a dbus-daemon of our own; yields its address."""
    folder.mkdir(parents=True, exist_ok=True)
    config, socket = folder / "bus.conf", folder / "bus"
    config.write_text(CONFIG.format(socket=socket, policy=policy))
    argv = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address=1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        try:
            # It tells its address once it takes connections.
            assert daemon.stdout.readline()
            yield f"unix:path={socket}"
        finally:
            daemon.terminate()


@contextlib.contextmanager
def served_methods(address: str, methods: tuple[Method, ...], guard: Guard) -> Iterator[BusService]:
    """Answer methods under the agent's name until the context ends; the main loop has a thread of its own."""
    loop, connection = MainLoop(), bus_service.connect(address)
    service = BusService(connection, methods, loop.call_soon, guard)
    names = [bus_service.own_name(connection)]
    thread = threading.Thread(target=loop.run)
    thread.start()

    def leave() -> None:
        service.remove()
        names.clear()
        connection.close()
        loop.quit()

    try:
        yield service
    finally:
        # In the loop's thread, which hears of the end first: another test's loop would call what is gone.
        loop.call_soon(leave)
        thread.join(60)
        assert not thread.is_alive(), "the loop goes on"


@dataclass
class RunningAgent:
    """An agent on a bus of its own."""

    agent: Agent
    client: BusClient
    address: str
    services: FakeServices
    statuses: list[Status] = field(default_factory=list)
    ladders: list[LadderReply] = field(default_factory=list)


@contextlib.contextmanager
def running_agent(
    folder: Path,
    root: Path,
    clocks: Clocks | None = None,
    *,
    policy: str = OPEN_POLICY,
    commands: Command | None = None,
    login: Sequence[str] = LOGIN_COMMAND,
    files: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[RunningAgent]:
    """Run an agent until the context ends."""
    make_machine(root, {**MACHINE, **files})
    clocks = clocks or Clocks(random=lambda: 0.05)
    commands, services = commands or Commands(), FakeServices()
    with private_bus(folder, policy) as address:
        running: RunningAgent
        service: BusService

        def note_status(status: Status) -> None:
            running.statuses.append(status)
            service.tell_status(status)

        def note_ladder(ladder: LadderReply) -> None:
            running.ladders.append(ladder)
            service.tell_ladder(ladder)

        agent = Agent(
            root,
            Applier(root, (root / "proc/cmdline").read_text(), services),
            Listeners(note_status, note_ladder),
            clocks,
            collector=FactsCollector(
                root, clocks.monotonic, command=commands, probe=commands, beside=at_once
            ),
            command=commands,
            ladder=LadderWatch(lambda target: Gateway("192.0.2.1", "eth0", True), lambda host: ()),
            login=login,
        )
        running = RunningAgent(agent, BusClient(address), address, services)
        with served_methods(address, agent_methods(agent), agent.guard) as service:
            agent.start()
            try:
                yield running
            finally:
                running.client.close()
                agent.stop()
