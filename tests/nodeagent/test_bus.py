"""The agent on a private bus: every method, every kind of error, the signals, and who may call."""

import grp
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent import bus_service
from nodeagent.bus_client import BusClient
from nodeagent.bus_service import Method
from nodeagent.guard import Guard, Rules
from nodeagent.state_disk import State, write_state
from nodelib.bus import (
    CODES,
    CONFIG_APPLY,
    CONFIG_CHECK,
    CONFIG_CONFIRM,
    CONFIG_PENDING,
    CONFIG_PLAN,
    CONFIG_REVERT,
    CONFIG_SHOW,
    FACTS,
    JOIN,
    LADDER,
    LADDER_CHANGED,
    LEAVE,
    STATUS,
    STATUS_CHANGED,
    SUPPORT,
    CheckRequest,
    Failure,
    JoinRequest,
    PlanRequest,
    RevertRequest,
    Status,
    SupportRequest,
    error_name,
    make_error,
)
from nodelib.bus_methods import METHODS
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step, StepState
from nodelib.link import ApplyRequest, ConfirmRequest, Nothing
from nodelib.places import Place, at
from tests.nodeagent.buses import RunningAgent, private_bus, running_agent, served_methods
from tests.nodeagent.engine_double import wait_for

CHECKOUT = Path(__file__).parents[2]
OPEN = Guard(time.monotonic, lambda: Rules(password_set=False, idle_lock=0))
PIN = f"sha256:{'ab' * 32}"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningAgent]:
    """Run an agent without an engine."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as agent:
        yield agent


def test_a_node_without_an_engine_tells_about_itself(running: RunningAgent) -> None:
    """Status, facts and ladder are there before anybody named an engine."""
    wait_for(lambda: running.ladders)
    status = running.client.call(STATUS, Nothing())
    assert status.hostname == "node1.example.org"
    assert status.addresses == ("bond0: 192.0.2.5/24, 2001:db8::5/64",)
    assert (status.engine, status.connected, status.state) == ("", False, "")
    assert len(status.approval_code) == 11
    assert status.fingerprint.startswith("SHA256:")
    assert (status.stateless, status.has_room) == (True, True)
    write_state(running.agent.root, State("disk"))
    assert not running.client.call(STATUS, Nothing()).stateless
    write_state(running.agent.root, State("memory", "the state disk cannot be used"))
    status = running.client.call(STATUS, Nothing())
    assert (status.stateless, status.warnings[0].text) == (False, "the state disk cannot be used")
    assert running.client.call(FACTS, Nothing()).cpu.model == "AMD EPYC 7313"
    rungs = running.client.call(LADDER, Nothing()).rungs
    assert [rung.step for rung in rungs] == list(Step)
    assert rungs[3].state is StepState.WAITING
    assert rungs[3].hint == at(Place.JOIN)


def test_a_change_is_planned_applied_and_confirmed(running: RunningAgent) -> None:
    """The pending change is in the status until it is confirmed, and then it stays."""
    patch = {"system": {"hostname": "other.example.org"}}
    changes = running.client.call(CONFIG_PLAN, PlanRequest(patch)).changes
    assert [line for line in changes if "other.example.org" in line]
    applied = running.client.call(CONFIG_APPLY, ApplyRequest(patch, 60.0))
    assert applied.ticket
    assert wait_for(lambda: running.client.call(STATUS, Nothing()).pending)
    with pytest.raises(VirtnodeError, match="waits for its confirmation") as caught:
        running.client.call(CONFIG_APPLY, ApplyRequest({"system": {"hostname": "third"}}, 60.0))
    assert caught.value.code is Code.BUSY
    running.client.call(CONFIG_CONFIRM, ConfirmRequest(applied.ticket))
    assert running.client.call(STATUS, Nothing()).pending is None
    view = running.client.call(CONFIG_SHOW, Nothing())
    assert view.document["system"] == {"hostname": "other.example.org"}
    assert view.origins["system.hostname"] == "/var/lib/virtnode/node.toml"


def test_a_change_is_put_back_by_hand_and_by_time(running: RunningAgent) -> None:
    """Revert puts it back at once; nobody's confirmation puts it back in the end."""
    patch = {"system": {"hostname": "other.example.org"}}
    running.client.call(CONFIG_APPLY, ApplyRequest(patch, 60.0))
    running.client.call(CONFIG_REVERT, RevertRequest())
    assert running.client.call(STATUS, Nothing()).pending is None
    running.client.call(CONFIG_APPLY, ApplyRequest(patch, 5.0))
    wait_for(lambda: running.client.call(STATUS, Nothing()).pending is None)
    assert "system" not in running.client.call(CONFIG_SHOW, Nothing()).document


def test_wrong_input_is_told_whole(running: RunningAgent) -> None:
    """All problems of a file come back, and each error keeps its code and hint."""
    problems = running.client.call(CONFIG_CHECK, CheckRequest("[system]\nhostname = 1\nfrob = 2\n")).problems
    assert len(problems) == 2
    assert running.client.call(CONFIG_CHECK, CheckRequest("version = 1\n")).problems == ()
    with pytest.raises(VirtnodeError) as caught:
        running.client.call(CONFIG_PLAN, PlanRequest({"frob": {"x": 1}}))
    assert caught.value.code is Code.INVALID
    with pytest.raises(VirtnodeError) as caught:
        running.client.call(CONFIG_CONFIRM, ConfirmRequest("nothing"))
    assert caught.value.code is Code.NOT_FOUND
    assert caught.value.hint


def test_join_and_leave(running: RunningAgent) -> None:
    """A join is kept at once, its token is never shown, and leaving forgets the engine."""
    with pytest.raises(VirtnodeError, match="pin"):
        running.client.call(JOIN, JoinRequest("127.0.0.1:1", ()))
    with pytest.raises(VirtnodeError, match="not a pin"):
        running.client.call(JOIN, JoinRequest("127.0.0.1:1", ("sha256:12",)))
    with pytest.raises(VirtnodeError, match="not a port"):
        running.client.call(JOIN, JoinRequest("127.0.0.1:x", (PIN,)))
    running.client.call(JOIN, JoinRequest("127.0.0.1:1", (PIN,), "vnt_sesame"))
    assert running.client.call(STATUS, Nothing()).engine == "127.0.0.1:1"
    wait_for(lambda: [one for one in running.statuses if "127.0.0.1:1 refuses" in one.ladder])
    shown = running.client.call(CONFIG_SHOW, Nothing())
    assert "sesame" not in str(shown)
    assert "sesame" not in str(running.statuses)
    running.client.call(LEAVE, Nothing())
    assert running.client.call(STATUS, Nothing()).engine == ""
    with pytest.raises(VirtnodeError, match="no engine to leave"):
        running.client.call(LEAVE, Nothing())


def test_support_is_written(running: RunningAgent, tmp_path: Path) -> None:
    """The archive is where it was asked for; a folder that is not there is an error."""
    path = Path(running.client.call(SUPPORT, SupportRequest(str(tmp_path))).path)
    assert path.parent == tmp_path
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(VirtnodeError, match="cannot be written"):
        running.client.call(SUPPORT, SupportRequest(str(tmp_path / "absent")))


def test_signals_reach_whoever_listens(running: RunningAgent) -> None:
    """A listener on the bus hears of a pending change."""
    listener = [
        "dbus-monitor",
        "--address",
        running.address,
        "type='signal',interface='org.virtnode.Node1'",
    ]
    heard: list[str] = []
    with subprocess.Popen(listener, stdout=subprocess.PIPE, text=True) as monitor:
        assert monitor.stdout is not None
        stdout = monitor.stdout
        thread = threading.Thread(target=lambda: heard.extend(stdout))
        thread.start()
        # It is listening once it hears of its own name.
        wait_for(lambda: [line for line in heard if "NameAcquired" in line])
        running.client.call(CONFIG_APPLY, ApplyRequest({"system": {"hostname": "other.example.org"}}, 60.0))
        for signal in ("StatusChanged", "ConfigPending"):
            wait_for(lambda name=signal: [line for line in heard if f"member={name}" in line])  # type: ignore[misc]
        monitor.terminate()
        thread.join()


def test_every_method_is_served_and_no_other(running: RunningAgent) -> None:
    """The bus's own description has the methods of the contract, with their signatures."""
    import dbus

    connection = dbus.bus.BusConnection(running.address)
    text = str(
        connection.call_blocking(
            "org.virtnode.Node1",
            "/org/virtnode/Node1",
            "org.freedesktop.DBus.Introspectable",
            "Introspect",
            "",
            (),
        )
    )
    connection.close()
    for verb in METHODS:
        assert f'<method name="{verb.name}">' in text
    assert text.count("<method ") == len(METHODS) + text.count('name="Introspect"')
    for signal in ("StatusChanged", "LadderChanged", "ConfigPending"):
        assert f'<signal name="{signal}">' in text


def test_errors_have_names_that_lead_back() -> None:
    """Each code has one name on the bus, and an unknown name is a failure."""
    assert error_name(Code.NOT_FOUND) == "org.virtnode.Error.NotFound"
    for code in Code:
        assert CODES[error_name(code)] is code
        error = make_error(error_name(code), Failure("message", "hint"))
        assert (error.code, error.message, error.hint) == (code, "message", "hint")
    assert make_error("org.example.Odd", Failure("x")).code is Code.FAILED


def test_a_bug_is_an_answer_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception reaches the journal whole, and the caller as one line."""

    def broken(request: object, actor: str) -> Status:
        raise ZeroDivisionError("a bug")

    with private_bus(tmp_path) as address:
        client = BusClient(address)
        with (
            served_methods(address, (Method(STATUS, broken),), OPEN),
            pytest.raises(VirtnodeError, match="internal error") as caught,
        ):
            client.call(STATUS, Nothing())
        assert caught.value.code is Code.FAILED
        client.close()
    assert "a bug" in caplog.text


def test_two_agents_cannot_run(running: RunningAgent) -> None:
    """The name on the bus belongs to one."""
    import dbus

    # Not by the main loop, which another thread runs here.
    connection = dbus.bus.BusConnection(running.address)
    with pytest.raises(VirtnodeError, match="another agent"):
        bus_service.own_name(connection)
    connection.close()


def test_without_an_agent_there_is_one_line(tmp_path: Path) -> None:
    """No bus, and a bus without the agent, are the same to a person."""
    for address in (f"unix:path={tmp_path}/absent",):
        with pytest.raises(VirtnodeError, match="agent is not running") as caught:
            BusClient(address).call(STATUS, Nothing())
        assert caught.value.code is Code.UNAVAILABLE
    with private_bus(tmp_path / "bus") as address:
        client = BusClient(address)
        with pytest.raises(VirtnodeError, match="agent is not running"):
            client.call(STATUS, Nothing())
        client.close()


def test_the_page_names_every_method_signal_step_and_error() -> None:
    """docs/agent.md keeps up with the bus and the ladder."""
    text = (CHECKOUT / "docs/agent.md").read_text()
    words = [verb.name for verb in METHODS] + [STATUS_CHANGED, LADDER_CHANGED, CONFIG_PENDING]
    words += [step.value for step in Step] + [error_name(code).rpartition(".")[2] for code in Code]
    assert [word for word in words if f"`{word}`" not in text] == []


ASK = """
import sys
from nodeagent.bus_client import BusClient
from nodelib.bus import STATUS
from nodelib.errors import VirtnodeError
from nodelib.link import Nothing
try:
    print(BusClient(sys.argv[1]).call(STATUS, Nothing()).hostname)
except VirtnodeError as error:
    print(error.code.value, error.hint)
"""
OPEN_TO_ALL = """<policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>"""
NOBODY = 65534


@pytest.mark.integration
def test_only_root_and_the_group_may_call() -> None:
    """The shipped policy, in a real bus, lets root call and turns another user away with a hint."""
    policy = CHECKOUT / "nodeagent/data/org.virtnode.Node1.conf"
    # The group is one that every system has.
    shipped = policy.read_text().replace('group="virtnode"', 'group="daemon"')
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "policy.conf").write_text(shipped)
        include = f"{OPEN_TO_ALL}<include>{folder}/policy.conf</include>"
        with running_agent(folder / "bus", folder / "root", policy=include) as running:
            assert running.client.call(STATUS, Nothing()).hostname == "node1.example.org"
            asked = {
                (user, group): ask(running.address, user, group)
                for user, group in ((NOBODY, NOBODY), (NOBODY, grp.getgrnam("daemon").gr_gid))
            }
    stranger, member = asked.values()
    assert stranger.startswith("denied become root, or a member of the group virtnode")
    assert member == "node1.example.org"


def ask(address: str, user: int, group: int) -> str:
    """Ask the agent as another user, in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", ASK, address],
        user=user,
        group=group,
        extra_groups=[group],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    ) as asking:
        return asking.communicate(timeout=30)[0].strip()
