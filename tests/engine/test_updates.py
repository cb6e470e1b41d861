"""Updates of nodes above the rules alone: when one may begin, and what ends it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, cast

import pytest

from engine.images import Images
from engine.nodes import Identity
from engine.rolls import Rolls, RollState, RollWish
from engine.store import event_rows
from engine.update_state import AGAIN, Finding, Phase, follow_view
from engine.updates import CONNECT_WITHIN, Updates, UpdateWish
from nodelib.bus_update import PackageChange, UpdateState, UpdateView
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState, Nothing, Verb
from nodelib.link_update import GET_PACKAGES, GET_UPDATE, UPDATE, PackagesReply
from tests.engine.bundles import write_bundle
from tests.engine.worlds import ADMIN, World

Q = TypeVar("Q")
R = TypeVar("R")
GONE = VirtnodeError(Code.UNAVAILABLE, "the node is not connected")
BEFORE = UpdateView(UpdateState.KEPT, build_id="older", time=5.0)


def view(state: UpdateState, **more: object) -> UpdateView:
    """Say something of the update to 0.2.0."""
    words = {"version": "0.2.0", "build_id": "build-0.2.0", "time": 9.0} | more
    return UpdateView(state, **words)  # type: ignore[arg-type]


class Answers:
    """A node's side: what it says, in order, the last for good; an error is raised."""

    def __init__(self, *said: UpdateView | VirtnodeError, order: VirtnodeError | None = None) -> None:
        self.said = list(said)
        self.asked: list[str] = []
        self._order = order

    async def call(self, node: str, verb: Verb[Q, R], request: Q, timeout: float = 10.0) -> R:
        """Answer a verb."""
        self.asked.append(verb.name)
        answer: object = Nothing()
        if verb.name == UPDATE.name and self._order is not None:
            raise self._order
        if verb.name == GET_PACKAGES.name:
            answer = PackagesReply("simulated-0", {"a": "1", "b": "1"})
        if verb.name == GET_UPDATE.name:
            answer = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(answer, VirtnodeError):
            raise answer
        return cast("R", answer)


class Updating:
    """A world with images, updates, rolls and one node that is up."""

    def __init__(self, world: World, home: Path) -> None:
        self.world = world
        self.images = Images(home, world.store, world.clock)
        self.updates = Updates(world.store, world.nodes, self.images, world.clock)
        self.rolls = Rolls(world.store, world.nodes, self.images, self.updates, world.clock)
        self.images.add(write_bundle(home), ADMIN)
        self.node = self.join()

    def join(self, number: int = 0, guests: int = 0) -> str:
        """Let in a node that is up."""
        node = self.world.joined(number)
        self.world.nodes.connected(Identity(node.id, self.world.nodes.get(node.id).fingerprint), self)
        beat = node.heartbeat(1.0, with_facts=True)
        self.world.nodes.heartbeat(node.id, type(beat)(**{**vars(beat), "guests": guests}))
        return node.id

    def begin(self, **wish: object) -> None:
        """Begin the update of the node."""
        self.updates.begin(self.node, UpdateWish(**wish), ADMIN)  # type: ignore[arg-type]

    def advance(self, answers: Answers, times: int = 1) -> None:
        """Go some steps on."""
        for _ in range(times):
            for row in self.updates.under_way():
                asyncio.run(self.updates.advance(row, answers))

    @property
    def phase(self) -> str:
        """How far the update is."""
        row = self.updates.find(self.node)
        assert row is not None
        return row.phase

    @property
    def state(self) -> tuple[NodeState, str]:
        """The node's state and its reason."""
        node = self.world.nodes.get(self.node)
        return node.state, node.reason


@pytest.fixture
def updating(world: World, tmp_path: Path) -> Updating:
    """Make an engine with an image and a node."""
    return Updating(world, tmp_path)


def test_each_step_is_seen(updating: Updating) -> None:
    """States, reasons and phases follow what the node says, and it is active again at the end."""
    updating.begin()
    assert updating.state == (NodeState.INSTALLING, "is updated to 0.2.0")
    node = Answers(BEFORE)
    updating.advance(node)
    assert node.asked == ["get_update", "update"]
    assert updating.phase == Phase.INSTALLING
    for said, phase, state in (
        (BEFORE, Phase.INSTALLING, (NodeState.INSTALLING, "fetches 0.2.0")),
        (
            view(UpdateState.FETCHING, percent=40),
            Phase.INSTALLING,
            (NodeState.INSTALLING, "fetches 0.2.0: 40 %"),
        ),
        (view(UpdateState.WRITING, percent=7), Phase.INSTALLING, (NodeState.INSTALLING, "writes 0.2.0: 7 %")),
        (view(UpdateState.READY), Phase.REBOOTING, (NodeState.REBOOTING, "restarts into 0.2.0")),
        (
            view(UpdateState.TRIAL, waits_for=("libvirt",)),
            Phase.TRIAL,
            (NodeState.REBOOTING, "runs 0.2.0 on trial; waits for libvirt"),
        ),
        (view(UpdateState.KEPT), Phase.KEPT, (NodeState.UP, "")),
    ):
        updating.advance(Answers(said))
        assert (updating.phase, updating.state) == (phase, state)
    assert not updating.world.nodes.get(updating.node).maintenance


def test_an_order_that_was_heard_is_not_given_twice(updating: Updating) -> None:
    """An engine that died after it asked sees by the time of the node's words that it did."""
    updating.begin()
    lost = Answers(BEFORE, order=GONE)
    updating.advance(lost)
    assert updating.phase == Phase.ORDERING
    node = Answers(view(UpdateState.WRITING))
    updating.advance(node)
    assert node.asked == ["get_update"]
    assert updating.phase == Phase.INSTALLING


def test_a_node_that_never_hears_its_order_fails(updating: Updating) -> None:
    """For a while it is waited for."""
    updating.begin()
    updating.advance(Answers(GONE))
    assert "waits for it" in updating.state[1]
    updating.world.clock.pass_by(CONNECT_WITHIN)
    updating.advance(Answers(GONE))
    assert updating.phase == Phase.FAILED
    assert updating.state == (
        NodeState.FAILED,
        "could not be told to update: the node is not connected",
    )


@pytest.mark.parametrize(
    ("error", "reason", "action"),
    [
        (
            VirtnodeError(Code.CONFLICT, "2 guests run", "stop them"),
            "the node refuses: 2 guests run",
            "stop them",
        ),
        (VirtnodeError(Code.NOT_FOUND, "unknown"), "its image is too old", "update it at its own console"),
    ],
)
def test_a_refused_order_fails_with_the_nodes_words(
    updating: Updating, error: VirtnodeError, reason: str, action: str
) -> None:
    """The node stays as it was, and the one thing to do is told."""
    updating.begin()
    updating.advance(Answers(BEFORE, order=error))
    node = updating.world.nodes.get(updating.node)
    assert node.state is NodeState.FAILED
    assert node.reason.startswith(reason)
    assert node.action.startswith(action)


def test_time_runs_out(updating: Updating) -> None:
    """A node that is never heard again counts as failed, with the last that was known of it."""
    updating.begin(seconds=600.0)
    updating.advance(Answers(BEFORE))
    updating.advance(Answers(view(UpdateState.READY)))
    updating.world.clock.pass_by(599)
    updating.advance(Answers(GONE))
    assert "it restarts into 0.2.0" in updating.state[1]
    updating.world.clock.pass_by(1)
    updating.advance(Answers(GONE))
    assert updating.phase == Phase.FAILED
    assert "within 10 minutes" in updating.state[1]


def test_who_is_revoked_or_removed_is_followed_no_more(updating: Updating) -> None:
    """Its update ends, and nothing of it is left in the way."""
    updating.begin()
    updating.world.nodes.revoke(updating.node, ADMIN)
    updating.advance(Answers(GONE))
    assert updating.phase == Phase.FAILED
    assert updating.updates.under_way() == ()
    updating.world.nodes.remove(updating.node, ADMIN)
    assert updating.updates.find(updating.node) is None


def test_nobody_comes_between(updating: Updating) -> None:
    """While it is updated a node is neither activated, nor put aside, nor updated again."""
    updating.begin()
    nodes = updating.world.nodes
    for decide in (nodes.activate, nodes.deactivate):
        with pytest.raises(VirtnodeError, match=r"is being updated to 0\.2\.0") as refused:
            decide(updating.node, ADMIN)
        assert refused.value.code is Code.CONFLICT
    with pytest.raises(VirtnodeError, match="is being updated"):
        nodes.check_no_update(updating.node)
    with pytest.raises(VirtnodeError, match=r"is being updated to 0\.2\.0 already"):
        updating.begin()


def test_what_cannot_begin_says_why(updating: Updating, tmp_path: Path) -> None:
    """And leaves the node as it was."""
    updating.images.add(write_bundle(tmp_path, "0.3.0", architecture="aarch64"), ADMIN)
    updating.images.add(write_bundle(tmp_path, "0.1.0", build_id="simulated-0"), ADMIN)
    busy = updating.join(1, guests=2)
    for node, image, words in (
        (updating.node, "0.3.0", "and the image aarch64"),
        (updating.node, "0.1.0", "runs that build already"),
        (updating.node, "0.9.0", "there is no image"),
        (busy, "", "2 virtual machines run on sim-00001"),
        ("nobody", "", "there is no node"),
    ):
        with pytest.raises(VirtnodeError, match=words):
            updating.updates.begin(node, UpdateWish(image), ADMIN)
    updating.world.nodes.disconnected(updating.node, updating)
    with pytest.raises(VirtnodeError, match="is not connected"):
        updating.begin()
    assert not any(node.maintenance for node in updating.world.nodes.list())
    updating.updates.begin(busy, UpdateWish(stop_guests=True), ADMIN)


def test_a_node_in_maintenance_stays_there(updating: Updating) -> None:
    """The update ends as it began."""
    updating.world.nodes.deactivate(updating.node, ADMIN)
    updating.begin()
    updating.advance(Answers(BEFORE))
    updating.advance(Answers(view(UpdateState.KEPT)))
    assert updating.state[0] is NodeState.MAINTENANCE


def test_a_node_that_forgets_tells_by_what_it_runs(updating: Updating) -> None:
    """And words about another image are no success."""
    updating.begin()
    row = updating.updates.under_way()[0]
    assert follow_view(row, UpdateView(), "simulated-0") is None
    assert follow_view(row, UpdateView(), "build-0.2.0") == Finding(Phase.KEPT)
    other = follow_view(row, view(UpdateState.KEPT, build_id="x", version="9"), "x")
    assert other == Finding(Phase.FAILED, "the node was updated to 9 meanwhile, by somebody else", AGAIN)


def test_packages_are_compared(updating: Updating) -> None:
    """With what the node says, unless an image of its build is here."""
    found = updating.updates.look(updating.node)
    changes = asyncio.run(updating.updates.compare_packages(found, Answers(BEFORE)))
    assert changes == (
        PackageChange("a", "1", ""),
        PackageChange("b", "1", ""),
        PackageChange("simulated", "", "build-0.2.0"),
        PackageChange("virtnode", "", "0.2.0"),
    )


def test_events_of_an_update_belong_together(updating: Updating) -> None:
    """Who asked, and what it is called, is with its end as well."""
    actor = type(ADMIN)("alice", "c-1")
    updating.updates.begin(updating.node, UpdateWish(), actor)
    updating.advance(Answers(BEFORE))
    updating.advance(Answers(view(UpdateState.FAILED, error="no room")))
    with updating.world.store.read() as connection:
        events = event_rows.list_events(connection, node_id=updating.node)
    ours = [(one.kind, one.actor, one.severity) for one in events if one.correlation == "c-1"]
    assert ours == [("update-failed", "alice", "error"), ("update-ordered", "alice", "info")]


def roll_states(updating: Updating) -> Sequence[str]:
    """Tell how the latest roll stands with each node."""
    found = updating.rolls.latest("Default")
    assert found is not None
    return [found.row.state, *(turn.state for turn in found.nodes)]


def test_a_roll_waits_for_a_node_and_then_gives_up(updating: Updating) -> None:
    """A node that does not come back is the failure that ends it."""
    updating.world.nodes.disconnected(updating.node, updating)
    updating.rolls.start("Default", RollWish(), ADMIN)
    assert updating.rolls.advance()
    assert roll_states(updating) == ["running", "waiting"]
    updating.world.clock.pass_by(CONNECT_WITHIN)
    assert not updating.rolls.advance()
    assert roll_states(updating) == [RollState.FAILED, "failed"]


def test_a_roll_passes_over_who_left(updating: Updating) -> None:
    """Removed before or during its turn; and a cluster has one roll at a time."""
    other = updating.join(1)
    updating.rolls.start("Default", RollWish(), ADMIN)
    with pytest.raises(VirtnodeError, match=r"is being rolled to 0\.2\.0 already"):
        updating.rolls.start("Default", RollWish(), ADMIN)
    updating.rolls.advance()
    assert roll_states(updating) == ["running", "updating", "waiting"]
    updating.world.nodes.remove(updating.node, ADMIN)
    updating.world.nodes.remove(other, ADMIN)
    assert not updating.rolls.advance()
    assert roll_states(updating) == ["done", "skipped", "skipped"]
    with pytest.raises(VirtnodeError, match="is not being rolled"):
        updating.rolls.stop("Default", ADMIN)


def test_a_roll_needs_a_cluster_and_an_image(updating: Updating) -> None:
    """Each refusal says what to do."""
    with pytest.raises(VirtnodeError, match="there is no cluster elsewhere"):
        updating.rolls.start("elsewhere", RollWish(), ADMIN)
    updating.images.remove("0.2.0", ADMIN)
    with pytest.raises(VirtnodeError, match="there is no image for these nodes"):
        updating.rolls.start("Default", RollWish(), ADMIN)
