"""Rolls: all nodes of a cluster are updated to one image, one after the other, until one of them fails."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from engine.events import Actor, Event, record
from engine.images import Images, fits, missing_file
from engine.node import Node
from engine.node_state import APPROVED_STATES
from engine.nodes import Nodes
from engine.store import place_rows, roll_rows
from engine.store.database import Connection, Store
from engine.store.image_rows import ImageRow
from engine.store.place_rows import ClusterRow
from engine.store.roll_rows import RollNodeRow, RollRow
from engine.store.update_rows import UpdateRow
from engine.update_state import Phase, is_under_way
from engine.updates import CONNECT_WITHIN, Updates, UpdateWish
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState, Severity

MOST_KEPT = 10
"""Rolls of a cluster that are remembered."""
SETTLED = (NodeState.UP, NodeState.MAINTENANCE)


class RollState(StrEnum):
    """How a roll stands."""

    RUNNING = "running"
    STOPPING = "stopping"
    """Somebody stopped it; the node that is being updated is brought to its end."""
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class Turn(StrEnum):
    """How a roll stands with one node."""

    WAITING = "waiting"
    UPDATING = "updating"
    KEPT = "kept"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Roll:
    """A roll, and its nodes in their order."""

    row: RollRow
    cluster: str
    nodes: tuple[RollNodeRow, ...]

    @property
    def percent(self) -> int:
        """How much of it is done."""
        done = sum(node.state in (Turn.KEPT, Turn.SKIPPED) for node in self.nodes)
        return 100 * done // len(self.nodes) if self.nodes else 100


@dataclass(frozen=True)
class RollWish:
    """What somebody asks for: an image, or the newest that fits one of the nodes without one."""

    image: str = ""
    stop_guests: bool = False


class Rolls:
    """The rolls of all clusters; any thread may call."""

    def __init__(
        self,
        store: Store,
        nodes: Nodes,
        images: Images,
        updates: Updates,
        clock: Callable[[], float],
        *,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._store = store
        self._nodes = nodes
        self._images = images
        self._updates = updates
        self._clock = clock
        self._new_id = new_id

    def start(self, words: str, wish: RollWish, actor: Actor) -> Roll:
        """Begin to update the nodes of a cluster. Raises VirtnodeError (not-found, conflict, unavailable)."""
        cluster = self._find_cluster(words)
        members = [node for node in self._nodes.list() if node.cluster_id == cluster.id and _is_ours(node)]
        image = self._choose(wish.image, members)
        now = self._clock()
        row = RollRow(
            self._new_id(),
            cluster.id,
            image.digest,
            image.version,
            image.build_id,
            RollState.RUNNING.value,
            "",
            wish.stop_guests,
            actor.name,
            actor.correlation,
            now,
            now,
        )
        nodes = tuple(
            RollNodeRow(row.id, place, node.id, node.name, Turn.WAITING.value)
            for place, node in enumerate(members)
        )
        with self._store.write() as connection:
            former = roll_rows.list_rolls(connection, cluster.id)
            if former and any(one.finished is None for one in former):
                raise VirtnodeError(
                    Code.CONFLICT,
                    f"{cluster.name} is being rolled to {former[0].version} already",
                    f"wait, or end it: virtnode-engine roll stop {cluster.name}",
                )
            for one in former[MOST_KEPT - 1 :]:
                roll_rows.delete_roll(connection, one.id)
            roll_rows.insert_roll(connection, row, nodes)
            text = f"{cluster.name}: {len(nodes)} nodes are to be updated to {row.version} ({row.build_id})"
            record(connection, Event(Severity.INFO, "roll-started", text), actor, now)
        self._updates.wake()
        return Roll(row, cluster.name, nodes)

    def stop(self, words: str, actor: Actor) -> Roll:
        """Begin no further node; the one that is being updated goes on. Raises VirtnodeError (conflict)."""
        cluster = self._find_cluster(words)
        with self._store.write() as connection:
            found = roll_rows.list_rolls(connection, cluster.id, 1)
            if not found or found[0].finished is not None:
                raise VirtnodeError(
                    Code.CONFLICT, f"{cluster.name} is not being rolled", "there is nothing to stop"
                )
            roll_rows.change_roll(connection, found[0].id, state=RollState.STOPPING.value)
            event = Event(Severity.INFO, "roll-stopping", f"{cluster.name}: the roll is to stop")
            record(connection, event, actor, self._clock())
        self._updates.wake()
        return self._need_latest(cluster)

    def latest(self, words: str) -> Roll | None:
        """Find the latest roll of a cluster; None where there was none."""
        cluster = self._find_cluster(words)
        with self._store.read() as connection:
            return _load(connection, cluster)

    def advance(self) -> bool:
        """Bring each roll a step on; tell whether one is still under way."""
        with self._store.read() as connection:
            rows = roll_rows.list_under_way(connection)
            rolls = [Roll(row, "", roll_rows.list_roll_nodes(connection, row.id)) for row in rows]
        for roll in rolls:
            # A node that is done with makes room for the next at once.
            while self._step(roll):
                with self._store.read() as connection:
                    nodes = roll_rows.list_roll_nodes(connection, roll.row.id)
                    row = next(one for one in roll_rows.list_under_way(connection) if one.id == roll.row.id)
                roll = Roll(row, "", nodes)
        with self._store.read() as connection:
            return bool(roll_rows.list_under_way(connection))

    def _step(self, roll: Roll) -> bool:
        """Do the next thing; tell whether there is another to do at once."""
        for turn in roll.nodes:
            if turn.state == Turn.UPDATING:
                return self._follow(roll.row, turn)
        waiting = [turn for turn in roll.nodes if turn.state == Turn.WAITING]
        if roll.row.state == RollState.STOPPING:
            self._finish(roll.row, RollState.STOPPED, f"{len(waiting)} nodes are left")
        elif not waiting:
            self._finish(roll.row, RollState.DONE)
        else:
            return self._begin(roll.row, waiting[0])
        return False

    def _begin(self, row: RollRow, turn: RollNodeRow) -> bool:
        """Begin with a node, or pass it over; tell whether it was passed over."""
        try:
            node = self._nodes.get(turn.node_id)
        except VirtnodeError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            return self._turn(row, turn, Turn.SKIPPED, "it was removed")
        if is_under_way(self._updates.find(node.id)):
            # Somebody else's, which will end.
            return False
        wish = UpdateWish(row.digest, row.stop_guests, roll=row.id)
        try:
            if (reason := _reason_to_skip(node, self._images.find(row.digest).row)) is not None:
                return self._turn(row, turn, Turn.SKIPPED, reason)
            self._updates.begin(node.id, wish, Actor(row.actor, row.correlation))
        except VirtnodeError as error:
            if not node.connected and self._clock() - row.since < CONNECT_WITHIN:
                return False
            self._fail(row, turn, f"{error.message}: {error.hint}" if error.hint else error.message)
        return False

    def _follow(self, row: RollRow, turn: RollNodeRow) -> bool:
        """See how the update of a node ended, if it has; tell whether the next may begin."""
        update = self._updates.find(turn.node_id)
        if update is None:
            return self._turn(row, turn, Turn.SKIPPED, "it was removed")
        if is_under_way(update):
            return False
        if update.phase != Phase.KEPT or update.roll_id != row.id:
            reason = update.reason or "somebody else has updated it"
            self._fail(row, turn, f"{reason}: {update.action}" if update.action else reason)
            return False
        return self._follow_kept(row, turn, update)

    def _follow_kept(self, row: RollRow, turn: RollNodeRow, update: UpdateRow) -> bool:
        node = self._nodes.get(turn.node_id)
        if node.state in SETTLED:
            return self._turn(row, turn, Turn.KEPT, "")
        if self._clock() >= update.deadline:
            self._fail(row, turn, f"runs {row.version} and is {node.state}: {node.reason}")
        return False

    def _turn(self, row: RollRow, turn: RollNodeRow, state: Turn, reason: str) -> bool:
        with self._store.write() as connection:
            roll_rows.change_roll_node(connection, row.id, turn.node_id, state=state.value, reason=reason)
            roll_rows.change_roll(connection, row.id, since=self._clock())
        return True

    def _fail(self, row: RollRow, turn: RollNodeRow, reason: str) -> None:
        failed = replace(turn, state=Turn.FAILED.value, reason=reason)
        self._finish(row, RollState.FAILED, f"{turn.name}: {reason}", failed)

    def _finish(
        self, row: RollRow, state: RollState, reason: str = "", failed: RollNodeRow | None = None
    ) -> None:
        now = self._clock()
        severity = Severity.ERROR if state is RollState.FAILED else Severity.INFO
        text = f"the roll to {row.version} is {state}" + (f": {reason}" if reason else "")
        with self._store.write() as connection:
            if failed is not None:
                roll_rows.change_roll_node(
                    connection, row.id, failed.node_id, state=failed.state, reason=failed.reason
                )
            roll_rows.change_roll(
                connection, row.id, state=state.value, reason=reason, finished=now, since=now
            )
            event = Event(severity, f"roll-{state.value}", text, failed.node_id if failed else None)
            record(connection, event, Actor(row.actor, row.correlation), now)

    def _choose(self, words: str, members: list[Node]) -> ImageRow:
        images = (self._images.find(words),) if words else self._images.list()
        for image in images:
            if words or any(fits(image.row, node) for node in members):
                if not image.here:
                    raise missing_file(image.row.version)
                return image.row
        raise VirtnodeError(
            Code.NOT_FOUND, "there is no image for these nodes", "add one: virtnode-engine image add FILE"
        )

    def _find_cluster(self, words: str) -> ClusterRow:
        with self._store.read() as connection:
            for cluster in place_rows.list_clusters(connection):
                if words in (cluster.id, cluster.name):
                    return cluster
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no cluster {words[:60]}", "the one there is is called Default"
        )

    def _need_latest(self, cluster: ClusterRow) -> Roll:
        with self._store.read() as connection:
            found = _load(connection, cluster)
        if found is None:
            raise VirtnodeError(Code.NOT_FOUND, f"{cluster.name} was never rolled")
        return found


def _load(connection: Connection, cluster: ClusterRow) -> Roll | None:
    for row in roll_rows.list_rolls(connection, cluster.id, 1):
        return Roll(row, cluster.name, roll_rows.list_roll_nodes(connection, row.id))
    return None


def _is_ours(node: Node) -> bool:
    return node.state in APPROVED_STATES


def _reason_to_skip(node: Node, image: ImageRow) -> str | None:
    if not _is_ours(node):
        return f"it is {node.state}"
    if node.facts.build_id == image.build_id:
        return "it runs that build already"
    if node.facts.cpu.architecture not in ("", image.architecture):
        return f"it is {node.facts.cpu.architecture}"
    return None
