"""Which nodes are here: connections and heartbeats, in memory, and the state that follows from them.

Heartbeats are many and say little, so none of this touches the database; `changes` tells what is
worth keeping.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.events import Event
from engine.hardware import Machine, read_machine
from engine.node import Node, read_facts, read_ladder
from engine.node_state import APPROVED_STATES, Graces, Situation, Verdict, judge
from engine.store.node_rows import NodeRow, Value
from nodelib.codec import to_json
from nodelib.link import Heartbeat, NodeState, Severity

logger = logging.getLogger(__name__)

FLUSH_INTERVAL = 60.0
"""Seconds after which what changed without a change of state is written."""


@dataclass
class Live:
    """An approved node, this moment. `steady` times are of a clock that never jumps."""

    id: str
    name: str
    key: str
    """The fingerprint of its key."""
    verdict: Verdict
    since: float
    maintenance: bool
    stored: NodeState
    """The state that the database knows."""
    steady_contact: float
    machine: Machine
    """The machine that was let in."""
    guests: int = 0
    connection: object | None = None
    heard: bool = False
    heartbeat: Heartbeat | None = None
    facts: str = ""
    ladder: str = ""
    last_seen: float | None = None
    steady_flush: float = 0.0
    dirty: bool = False
    rebooting_since: float | None = None
    update: Verdict | None = None
    """What its update makes of its state, while that has a say."""
    other_machine: Machine | None = None
    """Another one that came with the same key, until an administrator activates the node."""
    shown: Machine | None = None
    """The one that came last."""
    displaces: bool = False
    """Its connection took the place of one that seemed to live."""
    warning: Event | None = None
    """What the log must be told."""
    puzzling: bool = False
    """No state follows from what is known of it, and the log says why."""


@dataclass(frozen=True)
class Change:
    """What is to be written of a node, and which states it went through since the last time."""

    node: str
    name: str
    before: NodeState
    verdict: Verdict
    values: dict[str, Value]
    warning: Event | None = None


class Presence:
    """The approved nodes. Not safe for threads by itself: `Nodes` guards it."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        self._clock = clock
        self._steady = steady
        self._started = steady()
        self._lives: dict[str, Live] = {}
        self.graces = Graces()

    def admit(self, row: NodeRow, guests: int = 0) -> None:
        """Begin, or begin anew, to follow a node as it is stored."""
        if NodeState(row.state) not in APPROVED_STATES:
            return
        verdict = Verdict(NodeState(row.state), row.reason, row.action)
        known = self._lives.get(row.id)
        if known is not None:
            if known.key != row.fingerprint:
                # What is known of machines is known of the former key.
                known.other_machine = known.shown = None
            known.name, known.maintenance, known.key = row.name, row.maintenance, row.fingerprint
            known.stored, known.machine = verdict.state, _machine_of(row)
            return
        self._lives[row.id] = Live(
            row.id,
            row.name,
            row.fingerprint,
            verdict,
            row.since,
            row.maintenance,
            verdict.state,
            self._steady(),
            _machine_of(row),
            guests,
            last_seen=row.last_seen,
        )

    def find(self, node: str) -> Live | None:
        """Find a node that is followed."""
        return self._lives.get(node)

    def forget(self, node: str) -> None:
        """Follow a node no longer."""
        self._lives.pop(node, None)

    def connect(self, live: Live, connection: object) -> None:
        """Note a connection; it takes the place of the one before."""
        live.displaces = live.connection is not None
        live.connection, live.heard = connection, False
        live.steady_contact = self._steady()
        if live.rebooting_since is not None:
            # Whoever dials again after it was asked to reboot has done so.
            live.rebooting_since = None
        self.settle(live)

    def disconnect(self, live: Live, connection: object) -> None:
        """Note the end of a connection, unless another one took its place."""
        if live.connection is not connection:
            return
        live.connection, live.heard, live.displaces = None, False, False
        live.steady_contact = self._steady()
        self.settle(live)

    def hear(self, live: Live, heartbeat: Heartbeat) -> None:
        """Note a heartbeat."""
        live.heard, live.steady_contact, live.last_seen = True, self._steady(), self._clock()
        live.guests = max(heartbeat.guests, 0)
        if heartbeat.facts is not None:
            live.facts = to_json(heartbeat.facts)
            self.compare(live, read_machine(heartbeat.facts))
        if heartbeat.ladder:
            live.ladder = to_json(heartbeat.ladder)
        live.heartbeat = dataclasses.replace(heartbeat, facts=None, ladder=())
        live.dirty = True
        self.settle(live)

    def compare(self, live: Live, shown: Machine) -> None:
        """Look whether a node's key came with the machine that was let in; if not, it is not forgotten."""
        differs = shown.differs_from(live.machine)
        live.shown = shown if differs else live.machine
        if not differs or shown == live.other_machine:
            return
        live.other_machine = shown
        how = ", and took the place of a connection that seemed to live" if live.displaces else ""
        live.warning = Event(
            Severity.WARNING,
            "node-machine",
            f"the key of {live.name} came with another machine ({shown}){how}; it belongs to {live.machine}",
            live.id,
            before=dataclasses.asdict(live.machine),
            after=dataclasses.asdict(shown),
        )

    def accept_machine(self, live: Live, machine: Machine) -> None:
        """Take the machine that came last with a node's key for the right one."""
        live.machine, live.other_machine = machine, None

    def settle(self, live: Live) -> None:
        """Let the node's state follow from what is known of it."""
        verdict = self._judge(live)
        if verdict.state is not live.verdict.state:
            live.since = self._clock()
        if verdict != live.verdict:
            live.verdict, live.dirty = verdict, True
        if live.rebooting_since is not None and verdict.state is NodeState.UP:
            live.rebooting_since = None

    def followed(self) -> tuple[str, ...]:
        """Name the nodes that are followed."""
        return tuple(self._lives)

    def changes(self, nodes: Iterable[str], *, everything: bool = False) -> tuple[Change, ...]:
        """Settle some nodes, and tell what to write: changes of state at once, the rest once a minute."""
        lives = [self._lives[node] for node in nodes if node in self._lives]
        for live in lives:
            self.settle(live)
        now = self._steady()
        return tuple(
            _change(live)
            for live in lives
            if live.verdict.state is not live.stored
            or live.warning
            or (live.dirty and (everything or now - live.steady_flush >= FLUSH_INTERVAL))
        )

    def written(self, changes: tuple[Change, ...]) -> None:
        """Note that the database has what `changes` told."""
        for change in changes:
            live = self._lives.get(change.node)
            if live is not None:
                live.stored, live.steady_flush = change.verdict.state, self._steady()
                live.dirty = live.verdict != change.verdict
                live.warning = None if live.warning is change.warning else live.warning

    def overlay(self, node: Node) -> Node:
        """Bring a stored node up to this moment."""
        live = self._lives.get(node.id)
        if live is None or node.state not in APPROVED_STATES:
            return node
        self.settle(live)
        return dataclasses.replace(
            node,
            state=live.verdict.state,
            reason=live.verdict.reason,
            action=live.verdict.action,
            since=live.since,
            connected=live.connection is not None,
            last_seen=live.last_seen,
            facts=read_facts(live.facts) if live.facts else node.facts,
            ladder=read_ladder(live.ladder) if live.ladder else node.ladder,
            heartbeat=live.heartbeat or node.heartbeat,
        )

    def _judge(self, live: Live) -> Verdict:
        try:
            verdict = judge(self._situation(live), self.graces)
        except Exception:  # The outermost loop over nodes: one keeps nobody from the others.
            if not live.puzzling:
                logger.exception(
                    "the state of %s does not follow; it stays %s", live.name, live.verdict.state
                )
            live.puzzling = True
            return live.verdict
        live.puzzling = False
        return verdict

    def _situation(self, live: Live) -> Situation:
        now = self._steady()
        beat = live.heartbeat
        return Situation(
            before=live.verdict.state,
            connected=live.connection is not None,
            heard=live.heard,
            healthy=beat is None or beat.healthy,
            problems=() if beat is None else beat.problems,
            guests=live.guests,
            silence=now - live.steady_contact,
            engine_age=now - self._started,
            maintenance=live.maintenance,
            rebooting=None if live.rebooting_since is None else now - live.rebooting_since,
            update=live.update,
            another_machine=_another_text(live),
        )


def _change(live: Live) -> Change:
    values: dict[str, Value] = {
        "state": live.verdict.state.value,
        "reason": live.verdict.reason,
        "action": live.verdict.action,
        "since": live.since,
        "last_seen": live.last_seen,
    }
    if live.facts:
        values["facts"] = live.facts
    if live.ladder:
        values["ladder"] = live.ladder
    if live.heartbeat is not None:
        values["heartbeat"] = to_json(live.heartbeat)
    if live.verdict.state in (NodeState.NON_OPERATIONAL, NodeState.UNREACHABLE, NodeState.FAILED):
        values["last_error"] = live.verdict.reason
    return Change(live.id, live.name, live.stored, live.verdict, values, live.warning)


def _machine_of(row: NodeRow) -> Machine:
    return Machine(row.hardware_uuid, row.serial_number)


def _another_text(live: Live) -> str:
    other = live.other_machine
    return f"its key came with another machine ({other}) than {live.machine}" if other else ""
