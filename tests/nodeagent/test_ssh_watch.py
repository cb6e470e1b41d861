"""SSH that comes up by itself, and the agent's unit that opens it when the agent dies."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.ssh_watch import SshWatch
from nodeagent.tree_files import TreeFiles
from tests.nodeagent.node_trees import FakeServices, make_node

UNIT = Path(__file__).parents[2] / "nodeagent/units/virtnode-agent.service"


@dataclass
class World:
    """A clock, services and a watch."""

    tree: TreeFiles
    now: float = 0.0
    services: FakeServices = field(default_factory=FakeServices)
    watch: SshWatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = SshWatch(self.tree, self.services, lambda: self.now)

    def look(self, at: float, *, well: bool, choice: str = "automatic") -> list[str]:
        """Look, and return what the services heard."""
        self.now = at
        self.services.calls.clear()
        self.watch.look(choice, well=well)
        return list(self.services.calls)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make a node that has an SSH server."""
    return World(TreeFiles(make_node(tmp_path)))


def test_ssh_runs_while_something_is_wrong_and_a_minute_longer(world: World) -> None:
    """It is started once and stopped once, and a short recovery does not end it."""
    assert world.look(0, well=False) == ["start ssh.service"]
    assert world.look(5, well=False) == []
    assert world.look(10, well=True) == []
    assert world.look(40, well=False) == []
    assert world.look(50, well=True) == []
    assert world.look(109, well=True) == []
    assert world.look(110, well=True) == ["stop ssh.service"]
    assert world.look(200, well=True) == []
    assert world.look(201, well=False) == ["start ssh.service"]


def test_ssh_is_left_alone_where_the_intent_says_what_it_shall_be(world: World) -> None:
    """Whatever the node's health."""
    for choice in ("on", "off", "image"):
        assert world.look(0, well=False, choice=choice) == []
        assert world.look(500, well=True, choice=choice) == []


def test_a_server_that_does_not_start_is_tried_again(world: World) -> None:
    """At the next look."""
    world.services.refuse = "start"
    assert world.look(0, well=False) == ["start ssh.service"]
    assert world.look(5, well=False) == ["start ssh.service"]


@pytest.mark.parametrize(
    ("result", "marked", "starts"),
    [("watchdog", True, True), ("success", True, False), ("signal", False, False)],
)
def test_an_agent_that_died_opens_ssh(tmp_path: Path, result: str, marked: bool, starts: bool) -> None:
    """What the unit runs after the agent starts the server that the agent named, unless all was well."""
    text = UNIT.read_text().replace("\\\n", "")
    (script,) = re.findall(r"ExecStopPost=-/bin/sh -c '(.*)'", text)
    word = tmp_path / "ssh-automatic"
    if marked:
        word.write_text("ssh.service\n")
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/heard\n')
    systemctl.chmod(0o755)
    script = script.replace("$$", "$").replace("/run/virtnode/ssh-automatic", str(word))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SERVICE_RESULT": result}
    subprocess.run(["/bin/sh", "-c", script], env=environment, check=False)
    heard = tmp_path / "heard"
    assert (heard.read_text() if heard.exists() else "") == (
        "--no-block start ssh.service\n" if starts else ""
    )
