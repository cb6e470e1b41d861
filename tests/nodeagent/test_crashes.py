"""The agent is killed at every step of a change: afterwards everything is as before, or all of it is kept."""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodeagent.applier import Applier
from nodeagent.intent_sources import GOOD_STATE, STATE
from nodeagent.rollback import PATH
from tests.nodeagent.node_trees import SSH_KEY, FakeServices, make_node, snapshot

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "os.chown", "os.chmod"}
"""What Python tells of the steps that change a file system, before it takes them."""
FIRST: Mapping[str, object] = {"system": {"hostname": "node1"}, "firewall": {"open": ["80/tcp"]}}
PATCH: Mapping[str, object] = {
    "system": {"hostname": "node2.example.org", "timezone": "Europe/Berlin"},
    "access": {"ssh_keys": [SSH_KEY]},
    "firewall": None,
    "network": {"bond": [{"name": "bond0", "members": ["eth0", "eth1"], "ipv4": ["192.0.2.5/24"]}]},
}


@dataclass
class Killer:
    """Ends this process without a word before its n-th step below a root."""

    root: Path
    step: int
    count: int = 0
    armed: bool = False

    def take_step(self) -> None:
        """Count a step, or die before it."""
        if self.armed:
            self.count += 1
            if self.count == self.step:
                os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, words: Sequence[object]) -> None:
        """Listen to what Python is about to do."""
        if not self.armed or event not in STEPS:
            return
        if event == "open" and not (isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if str(words[0]).startswith(str(self.root)):
            self.take_step()


class MortalServices(FakeServices):
    """Services whose every call is a step, too."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    def _note(self, call: str) -> None:
        self._killer.take_step()
        super()._note(call)


def start(root: Path, now: float, services: FakeServices | None = None) -> Applier:
    """Start the agent's part at a time."""
    return Applier(root, "", services or FakeServices(), clock=lambda: now, make_ticket=lambda: "ticket")


def in_child(
    root: Path, step: int, prepare: Callable[[Applier], None], work: Callable[[Applier], None]
) -> int:
    """Run two parts in a child that dies in the second; returns its steps, or 0 where it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            killer = Killer(root, step)
            applier = start(root, 1000.0, MortalServices(killer))
            prepare(applier)
            sys.addaudithook(lambda event, words: killer.hear(event, words))
            killer.armed = True
            work(applier)
            killer.armed = False
            os.write(writing, str(killer.count).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        counted = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) != bool(counted), "the child failed by itself"
    return int(counted or 0)


def kills(
    node: Path, folder: Path, prepare: Callable[[Applier], None], work: Callable[[Applier], None]
) -> Iterator[tuple[int, Path]]:
    """Yield a copy of a node for every step at which the work can be killed; the last one lived."""
    for step in range(1, 10000):
        root = folder / str(step)
        shutil.copytree(node, root, symlinks=True)
        lived = in_child(root, step, prepare, work)
        yield step, root
        shutil.rmtree(root)
        if lived:
            assert step > 10, "there were hardly any steps"
            return


def nothing(applier: Applier) -> None:
    """Prepare nothing."""


def apply(applier: Applier) -> None:
    """Apply the change."""
    assert applier.apply(PATCH, 60, "test").ticket == "ticket"


def confirm(applier: Applier) -> None:
    """Keep the change."""
    applier.confirm("ticket")


def revert(applier: Applier) -> None:
    """Take the change back."""
    applier.revert("ticket")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder in memory where there is one: each of some hundred runs brings every file to the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture
def node(folder: Path) -> Path:
    """Make a node that has a confirmed intent already."""
    root = make_node(folder / "node")
    applier = start(root, 900.0)
    applier.confirm(applier.apply(FIRST, 60, "test").ticket)
    return root


def test_an_agent_killed_while_it_applies_leaves_nothing_behind(node: Path, folder: Path) -> None:
    """Whatever the step, the next agent puts every byte back once the window is over."""
    before = snapshot(node)
    for step, root in kills(node, folder / "copies", nothing, apply):
        applier = start(root, 2000.0)
        applier.recover()
        assert snapshot(root) == before, step
        assert applier.plan(applier.load().intent) == (), step


def test_a_machine_that_loses_power_while_it_applies_comes_back_as_before(node: Path, folder: Path) -> None:
    """The same with another boot, whatever its clock says, on a tree that keeps its /etc."""
    before = snapshot(node, without=("proc",))
    for step, root in kills(node, folder / "copies", nothing, apply):
        (root / "proc/sys/kernel/random/boot_id").write_text("another\n")
        start(root, 1001.0).recover()
        assert snapshot(root, without=("proc",)) == before, step


def test_an_agent_killed_while_it_puts_back_is_finished_by_the_next(node: Path, folder: Path) -> None:
    """Though the window is still open: half of a change can be confirmed by nobody."""
    before = snapshot(node)
    waited = []
    for step, root in kills(node, folder / "copies", apply, revert):
        applier = start(root, 1001.0)
        applier.recover()
        if applier.pending() is not None:
            # It was killed before it began: the change waits on, and can be taken back again.
            waited.append(step)
            applier.revert("ticket")
        assert snapshot(root) == before, step
    assert waited == list(range(1, len(waited) + 1))
    assert len(waited) < 8


def test_an_agent_killed_while_it_confirms_keeps_all_or_nothing(node: Path, folder: Path) -> None:
    """The change is confirmed in one step; before it everything goes, after it everything stays."""
    before = snapshot(node)
    outcomes = []
    for step, root in kills(node, folder / "copies", apply, confirm):
        applier = start(root, 2000.0)
        applier.recover()
        kept = applier.load().intent.system.hostname == "node2.example.org"
        outcomes.append(kept)
        assert applier.plan(applier.load().intent) == (), step
        assert applier.pending() is None
        assert not (root / PATH).exists()
        if kept:
            assert (root / STATE).read_bytes() == (root / GOOD_STATE).read_bytes()
            assert (root / "etc/hostname").read_text() == "node2.example.org\n"
        else:
            assert snapshot(root) == before, step
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}
