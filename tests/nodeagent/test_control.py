"""virtnodectl, against an agent on a private bus: what it prints, and its exit statuses."""

import io
import json
import re
import tarfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodeagent.control import make_parser, run_control
from nodeagent.control_text import status_text
from nodeagent.place_commands import COMMANDS
from nodelib.bus import STATUS, AskedKey, Notice, PendingChange, SourceState, SourceStep, Status
from nodelib.ladder import Rung, Step, StepState
from nodelib.link import (
    APPLY_CONFIG,
    CONFIRM_CONFIG,
    GET_CONFIG,
    ApplyRequest,
    ConfirmRequest,
    NodeState,
    Nothing,
)
from nodelib.places import Place, at, word_places
from tests.conftest import Golden
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.machines import Commands
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]
VERBS = (
    *("status", "facts", "config", "join", "leave", "new-key", "support", "access", "password", "ssh-keys"),
    *("system", "meters", "choices", "power", "maintenance", "reset"),
)
PIN = f"sha256:{'ab' * 32}"


@dataclass
class Result:
    """What a run of virtnodectl left."""

    status: int
    out: str
    errors: str


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningAgent]:
    """Run an agent without an engine."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as agent:
        yield agent


def control(address: str, *words: str, stdin: str = "") -> Result:
    """Run virtnodectl."""
    out, errors = io.StringIO(), io.StringIO()
    status = run_control(["--bus", address, *words], out, errors, io.StringIO(stdin))
    return Result(status, out.getvalue(), errors.getvalue())


def test_status_says_how_the_node_stands(running: RunningAgent) -> None:
    """For people by default, for programs with --json."""
    wait_for(lambda: running.ladders)
    found = control(running.address, "status")
    assert found.status == 0
    assert "node1.example.org (virtnode 0.1.0" in found.out
    assert "bond0: 192.0.2.5/24" in found.out
    assert "virtnodectl join" in found.out
    document = json.loads(control(running.address, "status", "--json").out)
    assert document["status"]["hostname"] == "node1.example.org"
    assert len(document["ladder"]) == len(Step)
    assert json.loads(control(running.address, "facts").out)["cpu"]["threads"] == 4


def test_the_engine_hears_of_the_hardware_at_once(
    tmp_path: Path, engine: EngineDouble, authority: Authority
) -> None:
    """However slowly a machine tells what it is: a node that lost its key is known by its hardware alone."""
    state = tmp_path / "root/var/lib/virtnode/node.toml"
    state.parent.mkdir(parents=True)
    state.write_text(f'version = 1\n[engine]\naddress = "{engine.address}"\nca = ["{authority.pin}"]\n')
    commands, is_dialled = Commands(), threading.Event()

    def slow(argv: Sequence[str]) -> str:
        is_dialled.wait(2)  # by an agent that does not wait for what it asks here
        return commands(argv)

    with running_agent(tmp_path / "bus", tmp_path / "root", commands=slow):
        wait_for(lambda: engine.registrations)
        is_dialled.set()
        assert engine.registrations[0].facts.hardware.uuid
        assert engine.registrations[0].facts.hardware.serial


def test_a_status_is_as_reviewed(golden: Golden) -> None:
    """A node that waits for approval, with a change and a problem; and one whose gateway is silent."""
    status = Status(
        hostname="node1",
        product="virtnode 0.1.0",
        addresses=("eth0: 192.0.2.5/24",),
        engine="engine.example.org",
        state="pending",
        approval_code="ABCDE-12345",
        fingerprint=f"SHA256:{'ab' * 32}",
        pending=PendingChange("ticket", 41.7, ("hostname: node1",)),
        problems=("node.toml cannot be read", "the unit a.service failed"),
        warnings=(
            Notice("the unit a.service failed", at(Place.UNIT, "a.service")),
            Notice("the clock is off", "set time servers"),
        ),
        asked=(AskedKey("system.keymap", allowed="a name such as us"),),
        sources=(
            SourceStep("embedded", SourceState.NONE, "none"),
            SourceStep("DHCP", SourceState.NONE, "not given"),
        ),
    )
    ladder = (
        Rung(Step.LINK, StepState.OK, "Link on eth0."),
        Rung(
            Step.GATEWAY, StepState.FAILING, "The gateway 192.0.2.1 on eth0 does not answer.", "is it right?"
        ),
        Rung(Step.DNS, StepState.WAITING, "Waits for the steps before."),
    )
    golden("control/status.txt", word_places(status_text(status, ladder), COMMANDS))


def test_the_configuration_is_shown_and_changed(running: RunningAgent, tmp_path: Path) -> None:
    """Show, check, plan, apply, confirm and revert, by their words."""
    file = tmp_path / "patch.toml"
    file.write_text('[system]\nhostname = "other.example.org"\n')
    assert control(running.address, "config", "check", str(file)).status in (0, 2)
    planned = control(running.address, "config", "plan", str(file))
    assert "other.example.org" in planned.out
    applied = control(running.address, "config", "apply", "-", "--window", "50", stdin=file.read_text())
    ticket = applied.out.split()[-1]
    assert "in 50 s unless you confirm" in applied.out
    assert "unconfirmed" in control(running.address, "status").out
    assert control(running.address, "config", "revert").out == "put back\n"
    again = control(running.address, "config", "apply", str(file))
    assert ticket not in again.out
    assert control(running.address, "config", "confirm").out == "confirmed\n"
    shown = control(running.address, "config", "show").out
    assert re.search(r'^system.hostname = "other.example.org" +# /var/lib/virtnode/node.toml$', shown, re.M)
    assert json.loads(control(running.address, "config", "show", "--json").out)["document"]
    assert control(running.address, "config", "plan", str(file)).out == "nothing would change\n"


def test_wrong_input_is_status_two(running: RunningAgent, tmp_path: Path) -> None:
    """Every problem is a line, and nothing is changed."""
    file = tmp_path / "bad.toml"
    file.write_text("[system]\nhostname = 1\nfrob = 2\n")
    found = control(running.address, "config", "check", str(file))
    assert found.status == 2
    assert len([line for line in found.errors.splitlines() if "node.toml:" in line]) == 2
    file.write_text("[system\n")
    assert "no TOML" in control(running.address, "config", "apply", str(file)).errors
    assert control(running.address, "config", "apply", str(tmp_path / "absent")).status == 2
    assert control(running.address, "join", "host").status == 2
    assert control(running.address, "join", "host", "--ca", "12").status == 2
    assert control(running.address, "frobnicate").status == 2
    assert control(running.address, "config", "confirm").status == 1


@pytest.mark.parametrize("deed", ["plan", "apply"])
def test_what_is_wrong_with_a_change_has_file_and_line(
    running: RunningAgent, tmp_path: Path, deed: str
) -> None:
    """What TOML knows and JSON does not, what the agent does not take, and what is not even TOML."""
    file = tmp_path / "patch.toml"
    for text, lines in {
        "# a date\n[system]\nhostname = 2020-01-01\n": [f"{file}:3: system.hostname: 2020-01-01 is a date"],
        "[system]\nhostname = nan\n": [f"{file}:2: system.hostname: nan is not a number"],
        "[dns]\nservers = [07:30:00]\n": [f"{file}:2: dns.servers[0]: 07:30:00 is a date or a time"],
        '[system]\nhostname = 1\n\nfrob = "x"\n': [
            f"{file}:2: system.hostname: 1 is not text",
            f"{file}:4: system.frob: unknown",
        ],
        '[[network.nic]]\nname = "a"\n[[network.nic]]\n"odd key" = 1\n': [
            f'{file}:4: network.nic[1]."odd key": unknown',
        ],
        "[system\n": [f"{file}:1: no TOML: "],
        f"a = {'1' * 5000}\n": [f"{file}:1: no TOML: "],
    }.items():
        file.write_text(text)
        found = control(running.address, "config", deed, str(file))
        assert found.status == 2
        for line in lines:
            assert line in found.errors
        assert "the change:" not in found.errors
    from_stdin = control(running.address, "config", deed, "-", stdin="[system]\nhostname = 1\n")
    assert "standard input:2: system.hostname" in from_stdin.errors


def test_a_node_is_joined_and_approved(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """The code is shown at once and while it is pending; the token may come by standard input."""
    engine.state = NodeState.PENDING
    words = ("join", engine.address, "--ca", authority.pin, "--token", "-")
    joined = control(running.address, *words, stdin="vnt_sesame\n")
    code = running.agent.identity.code
    assert joined.status == 0
    assert code in joined.out
    wait_for(lambda: engine.registrations)
    assert engine.registrations[0].token == "vnt_sesame"
    assert engine.registrations[0].facts.hostname == "node1.example.org"
    waiting = wait_for(lambda: [t for t in [control(running.address, "status").out] if "pending" in t])[0]
    assert code in waiting
    assert running.agent.identity.fingerprint in waiting
    engine.approve()
    wait_for(lambda: "node1: up" in control(running.address, "status").out)
    assert control(running.address, "leave").status == 0
    wait_for(lambda: "engine         none" in control(running.address, "status").out)


def test_a_node_with_another_key_asks_again(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """It shows its new code, registers at once with its token, and the engine hears what was done."""
    words = ("join", engine.address, "--ca", authority.pin, "--token", "vnt_sesame")
    assert control(running.address, *words).status == 0
    wait_for(lambda: "node1: up" in control(running.address, "status").out)
    before = running.agent.identity.code
    found = control(running.address, "new-key")
    assert found.status == 0
    assert running.agent.identity.code in found.out
    assert running.agent.identity.code != before
    wait_for(lambda: len(engine.registrations) == 2)
    assert engine.registrations[1].token == "vnt_sesame"
    assert engine.registrations[0].csr != engine.registrations[1].csr
    wait_for(lambda: [event for event in engine.events if event.kind == "new-key"])
    wait_for(lambda: "node1: up" in control(running.address, "status").out)


def test_support_has_no_secret(running: RunningAgent, tmp_path: Path) -> None:
    """Whatever this node was told in confidence is in no file of the archive."""
    root = tmp_path / "root"
    (root / "proc/cmdline").write_text("quiet node.token=vnt_fromcmdline rd.password=hunter2\n")
    join = ("join", "127.0.0.1:1", "--ca", PIN, "--token", "vnt_sesame")
    assert control(running.address, *join).status == 0
    found = control(running.address, "support", "--to", str(tmp_path))
    assert found.status == 0
    with tarfile.open(found.out.strip()) as archive:
        members = archive.getmembers()
        texts = {member.name: archive.extractfile(member) for member in members}
        contents = {name: file.read().decode() for name, file in texts.items() if file}
    assert any(name.endswith("facts.json") for name in contents)
    assert any(name.endswith("journal.txt") for name in contents)
    key = running.agent.identity.key_file.read_text().splitlines()[1]
    for secret in ("sesame", "fromcmdline", "hunter2", key):
        assert [name for name, text in contents.items() if secret in text] == []


def test_without_an_agent_there_is_a_line_and_a_hint(tmp_path: Path) -> None:
    """A node whose agent is dead says so, whatever was asked."""
    found = control(f"unix:path={tmp_path}/none", "status")
    assert found.status == 1
    assert found.errors.splitlines() == [
        "virtnodectl: the agent is not running",
        "  hint: systemctl status virtnode-agent says why",
    ]


def test_every_verb_is_documented() -> None:
    """docs/agent.md shows each verb of virtnodectl."""
    text = (Path(__file__).parents[2] / "docs/agent.md").read_text()
    usage = make_parser().format_help()
    for verb in VERBS:
        assert verb in usage
        assert f"virtnodectl {verb}" in text
    for deed in ("show", "check", "plan", "apply", "confirm", "revert"):
        assert f"virtnodectl config {deed}" in text


def test_an_engine_in_the_configuration_is_dialled(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """Whoever names the engine by its keys instead of by join gets the same."""
    patch = f'[engine]\naddress = "{engine.address}"\nca = ["{authority.pin}"]\n'
    assert control(running.address, "config", "apply", "-", stdin=patch).status == 0
    wait_for(lambda: "node1: up" in control(running.address, "status").out)
    assert len(engine.registrations) == 1


def test_an_engine_changes_the_configuration(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """It sees no secret, what it applies waits for its confirmation, and it hears what happened."""
    join = ("join", engine.address, "--ca", authority.pin, "--token", "vnt_sesame")
    assert control(running.address, *join).status == 0
    wait_for(lambda: engine.heartbeats)
    shown = engine.call(GET_CONFIG, Nothing())
    assert "sesame" not in str(shown)
    reply = engine.call(APPLY_CONFIG, ApplyRequest({"system": {"hostname": "other.example.org"}}, 60.0))
    assert "unconfirmed" in control(running.address, "status").out
    engine.call(CONFIRM_CONFIG, ConfirmRequest(reply.ticket))
    assert "other.example.org" in str(engine.call(GET_CONFIG, Nothing()).document)
    wait_for(lambda: {"join", "config-applied", "config-confirmed"} <= {one.kind for one in engine.events})
    assert "sesame" not in str(engine.events)
    assert {one.actor for one in engine.events if one.kind == "config-confirmed"} == {"engine"}


def test_access_is_shown_and_a_password_set(running: RunningAgent) -> None:
    """The password comes over standard input, and is printed nowhere; a short one is one line."""
    shadow = running.agent.root / "etc/shadow"
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("admin:!*::0:99999:7:::\n")
    assert "none: anybody may change" in control(running.address, "access").out
    short = control(running.address, "password", stdin="short\n")
    assert (short.status, short.errors.splitlines()[0]) == (
        2,
        "virtnodectl: the password has 5 characters; it needs 8",
    )
    assert control(running.address, "password", stdin="\n").status == 2
    assert control(running.address, "password", stdin="correct horse\n").out == "the password is set\n"
    found = control(running.address, "access")
    assert "set, of the account admin" in found.out
    assert (
        "correct horse" not in found.out + (running.agent.root / "var/lib/virtnode/events.json").read_text()
    )
    assert json.loads(control(running.address, "access", "--json").out)["password_set"] is True
    shown = control(running.address, "config", "show", "--json").out
    assert json.loads(shown)["document"]["access"] == {"password": "(hidden)"}
    assert control(running.address, "password", "--remove").out == "the password is gone\n"


def test_the_machine_is_shown_to_people_and_to_programs(running: RunningAgent) -> None:
    """Both verbs in both ways, and the choices as a list."""
    assert "started from   a CD or a USB stick" in control(running.address, "system").out
    assert json.loads(control(running.address, "system", "--json").out)["stateless"] is True
    assert "memory         8 of 16 MiB" in control(running.address, "meters").out
    assert json.loads(control(running.address, "meters", "--json").out)["guests_running"] == 1
    zone = running.agent.root / "usr/share/zoneinfo/Europe/Berlin"
    zone.parent.mkdir(parents=True)
    zone.write_text("TZif")
    assert control(running.address, "choices", "timezones").out == "Europe/Berlin\n"


def test_what_ends_the_machine_is_refused_in_one_line(running: RunningAgent) -> None:
    """Guests that run, a name that is not this host's, and no engine."""
    for words, line in (
        (("power", "off"), "virtual machines run: vm1"),
        (("reset", "--confirm", "other"), "the confirmation is not the name of this host"),
        (("maintenance", "on"), "maintenance is the engine's to decide"),
        (("ssh-keys", "fetch", "http://keys.example.org/"), "the address must be an https URL"),
    ):
        found = control(running.address, *words)
        assert found.status in (1, 2)
        assert found.errors.startswith(f"virtnodectl: {line}")
        assert "hint: " in found.errors


def test_maintenance_is_asked_of_the_engine(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """It decides, and the node's own log says who asked."""
    assert control(running.address, "join", engine.address, "--ca", authority.pin).status == 0
    wait_for(lambda: engine.heartbeats)
    wait_for(lambda: running.client.call(STATUS, Nothing()).connected)
    assert control(running.address, "maintenance", "on").out == "maintenance is on\n"
    assert [wish.on for wish in engine.wishes] == [True]
    again = control(running.address, "maintenance", "on")
    assert (again.status, again.errors) == (1, "virtnodectl: it is so already\n")
    wait_for(lambda: [one for one in engine.events if one.kind == "maintenance"])
    status = json.loads(control(running.address, "status", "--json").out)["status"]
    assert status["engine_url"] == "https://127.0.0.1:8443/"
    assert status["engine_pins"] == [authority.pin]
    assert status["certificate_until"] > 0
