"""Recorded machines say what a node says: ladder, objections to a join, previews, the self-check's names."""

import dataclasses
from pathlib import Path

import pytest

from nodeagent.enrolment import read_join
from nodeagent.intent import Intent
from nodeagent.intent_changes import quiet_changes
from nodeagent.intent_check import read_intent
from nodeagent.ladder import LadderWatch, Surroundings, summary
from nodeagent.ladder_checks import Gateway
from nodeagent.progress import Progress
from nodeagent.selfcheck.evidence import Evidence, Known
from nodeagent.selfcheck.groups import judge
from nodeagent.settings.table import plan_changes, told
from nodeagent.state_disk import State
from nodeagent.tree_files import TreeFiles
from nodelib.bus import CONFIG_PLAN, CONFIG_SHOW, FACTS, JOIN, LADDER, STATUS, JoinRequest, PlanRequest
from nodelib.bus_support import SELF_CHECK
from nodelib.errors import InvalidInput
from nodelib.facts import Nic
from nodelib.ladder import Ladder, Rung, Step
from nodelib.link import Nothing
from tests.nodeagent.machines import make_machine
from tests.tui.sessions import MACHINES, Clock
from tui.recorded import RecordedMachine, load_machine
from tui.recorded.configuration import merge
from tui.recorded.join import CODE, ladder_up_to

PIN = f"sha256:{'5a' * 32}"
ETH0 = Nic("eth0", "physical", link=True, speed_mbps=1000, addresses=("192.0.2.5/24",))
BEFORE = Progress("engine.example.org", skew=0.0)
PENDING = dataclasses.replace(BEFORE, reached=Step.TOKEN, state="pending")
UP = dataclasses.replace(BEFORE, reached=Step.HEARTBEAT, state="up", connected=True, name="node1")


def machine(name: str) -> RecordedMachine:
    """Load a recorded machine."""
    return load_machine(MACHINES / f"{name}.json", Clock())


def climb(nics: tuple[Nic, ...], engine: str, progress: Progress, address: str) -> Ladder:
    """Let a node climb its ladder."""
    watch = LadderWatch(lambda target: Gateway("192.0.2.1", "eth0", True), lambda host: (address,))
    return watch.climb(Surroundings(nics, engine, "", progress, CODE, 1000.0, 500.0))


def words(rungs: Ladder) -> list[Rung]:
    """Leave out since when each step stands so."""
    return [dataclasses.replace(rung, since=0.0) for rung in rungs]


@pytest.mark.parametrize(
    ("step", "progress"), [(Step.PROXY, BEFORE), (Step.APPROVAL, PENDING), (None, UP)], ids=str
)
def test_the_ladder_that_is_climbed_is_a_nodes(step: Step | None, progress: Progress) -> None:
    """On the way, while it waits for its approval, and once it is up."""
    reached = list(Step).index(step) if step else len(Step)
    real = climb((ETH0,), "engine.example.org", progress, "192.0.2.10")
    if step is Step.PROXY:
        # A node finds at once that there is no proxy; this one takes half a second for each step.
        reached += 1
    assert words(ladder_up_to(reached).rungs) == words(real)


@pytest.mark.parametrize("name", ["server", "thirty-nics"])
def test_the_ladders_that_are_recorded_are_a_nodes(name: str) -> None:
    """What a node with these ports would say, and the status with it."""
    found = machine(name)
    status = found.get(STATUS)
    progress = PENDING if status.state == "pending" else dataclasses.replace(UP, name=status.name)
    progress = dataclasses.replace(progress, engine=status.engine)
    real = climb(found.get(FACTS).nics, status.engine.partition(":")[0], progress, "198.51.100.10")
    assert words(found.get(LADDER).rungs) == words(real)
    assert (status.ladder, status.hint) == summary(real)


@pytest.mark.parametrize(
    "request_",
    [
        JoinRequest("engine.example.org", ()),
        JoinRequest("", (PIN,)),
        JoinRequest("not a host", ("sha256:12", PIN, "x")),
        JoinRequest("", ()),
    ],
    ids=str,
)
def test_a_join_is_objected_to_as_a_node_does(request_: JoinRequest) -> None:
    """The same words for the same mistake, each with the field that it is about."""
    with pytest.raises(InvalidInput) as real:
        read_join(request_)
    error = machine("small").call(JOIN, request_).exception()
    assert isinstance(error, InvalidInput)
    assert error.problems == real.value.problems
    assert all(problem.startswith("engine.") for problem in error.problems)


SSH_KEY = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} alice@example.org"
PATCHES: list[tuple[str, dict[str, object]]] = [
    ("small", {"system": {"hostname": "rack1.example.org"}}),
    ("small", {"dns": {"servers": ["192.0.2.53"], "search": ["example.org"]}}),
    ("small", {"ntp": {"servers": ["ntp.example.org"]}}),
    (
        "small",
        {"access": {"ssh_keys": [SSH_KEY], "idle_lock": 60}},
    ),
    ("small", {"engine": {"proxy": "http://user:secret@proxy.example.org:3128"}}),
    (
        "small",
        {
            "network": {
                "nic": [
                    {
                        "match": {"mac": "52:54:00:12:00:00"},
                        "ipv4": ["192.0.2.9/24"],
                        "gateway4": "192.0.2.1",
                        "mtu": 9000,
                    }
                ]
            }
        },
    ),
    ("small", {"network": {"nic": None, "bridge": [{"name": "br0", "members": ["52:54:00:12:00:00"]}]}}),
    ("server", {"network": {"bond": None, "vlan": None, "bridge": None}}),
]


@pytest.mark.parametrize(("name", "patch"), PATCHES, ids=str)
def test_a_preview_is_a_nodes(name: str, patch: dict[str, object], tmp_path: Path) -> None:
    """A node with the same ports and the same configuration plans the same change in the same words."""
    recorded = machine(name)
    document = {**recorded.get(CONFIG_SHOW).document, "version": 2}
    before, after = intent_of(document), intent_of(merge(document, patch))
    tree = tree_of(recorded, tmp_path)
    for change in plan_changes(before, tree):
        if change.path:
            tree.put(change.path, change.new)
    real = [change.text for change in (*told(plan_changes(after, tree)), *quiet_changes(before, after))]
    assert list(recorded.call(CONFIG_PLAN, PlanRequest(patch)).result().changes) == real


def intent_of(document: dict[str, object]) -> Intent:
    """Read a configuration."""
    intent, problems = read_intent(document)
    assert not problems
    return intent


def tree_of(recorded: RecordedMachine, root: Path) -> TreeFiles:
    """Make the files of a machine with the same ports, and what settings look for."""
    files = {
        "etc/chrony/chrony.conf": "sourcedir /etc/chrony/sources.d\n",
        "etc/hosts": "127.0.0.1 localhost\n",
    }
    for nic in recorded.get(FACTS).nics:
        if nic.kind == "physical":
            files |= {
                f"sys/class/net/{nic.name}/address": f"{nic.mac}\n",
                f"sys/class/net/{nic.name}/device/x": "",
            }
    return TreeFiles(make_machine(root, files))


@pytest.mark.parametrize("name", ["small", "server", "installer", "thirty-nics"])
def test_the_self_check_has_a_nodes_checks(name: str) -> None:
    """The same groups, and in each the same checks in the same order."""
    recorded = machine(name)
    known = Known(recorded.get(FACTS), engine=recorded.get(STATUS).engine)
    real = judge(Evidence(known=known, clock_chip=True, state=State(), stateless=False))
    found = recorded.call(SELF_CHECK, Nothing()).result()
    shape = [(group.name, [check.name for check in group.checks]) for group in real.groups]
    assert [(group.name, [check.name for check in group.checks]) for group in found.groups] == shape
