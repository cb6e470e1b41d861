"""What state a node is in, why, and the one thing to do about it: rules without a clock or a socket."""

from dataclasses import dataclass

from engine.printable import printable
from nodelib.link import HEARTBEAT_INTERVAL, NodeState

GRACE_PER_GUEST = 0.5
"""Seconds that each guest adds to the grace: a busy node answers late, and a mistake would cost them."""
MOST_GUESTS = 1000
"""So many guests count: whoever claims more is not waited for any longer."""
MISSED_HEARTBEATS = 2
"""More than so many must be missing before a node is called unreachable."""
LATE = 3 * HEARTBEAT_INTERVAL
"""Seconds after which a heartbeat is missed on a connection that seems to live."""

APPROVED_STATES = frozenset(NodeState) - {NodeState.PENDING, NodeState.REJECTED}


@dataclass(frozen=True)
class Verdict:
    """A state, the reason for it, and the recommended action; both are empty when all is well."""

    state: NodeState
    reason: str = ""
    action: str = ""


@dataclass(frozen=True)
class Situation:
    """What is known of an approved node at a moment; durations in seconds."""

    before: NodeState
    connected: bool
    heard: bool
    """A heartbeat came on this connection."""
    healthy: bool
    problems: tuple[str, ...]
    guests: int
    silence: float
    """Since it was last heard, or since it connected, or since the engine started."""
    engine_age: float
    maintenance: bool = False
    rebooting: float | None = None
    """Since it was asked to reboot; None when it was not, or is back."""
    update: Verdict | None = None
    """What its update makes of it, while that has a say."""
    another_machine: str = ""
    """Its key came with another machine than the one that was let in, in a sentence."""


@dataclass(frozen=True)
class Graces:
    """How long what may last, in seconds."""

    silence: float = 60.0
    start: float = 300.0
    reboot: float = 600.0


def judge(now: Situation, graces: Graces) -> Verdict:
    """Decide the state of an approved node."""
    if now.update is not None:
        return now.update
    if now.maintenance:
        return _maintenance(now)
    if now.rebooting is not None and now.rebooting < graces.reboot:
        return Verdict(NodeState.REBOOTING, f"asked to reboot; it has {graces.reboot:.0f} s", "wait")
    if now.connected and now.heard and now.silence < LATE:
        return _alive(now)
    if _is_lost(now, graces):
        return _lost(now)
    # Once it was called unreachable, only a heartbeat takes that back; a connection makes it hopeful.
    if now.before is NodeState.UNREACHABLE and not now.connected:
        return _lost(now)
    return _connecting(now)


def pending(reason: str = "") -> Verdict:
    """Describe a node that waits for an administrator."""
    return Verdict(
        NodeState.PENDING,
        reason or "waits for approval",
        "compare the approval code with the node's console, then approve or reject",
    )


def rejected(reason: str) -> Verdict:
    """Describe a node that an administrator does not want."""
    return Verdict(NodeState.REJECTED, reason, "remove it to let it ask again")


def approved() -> Verdict:
    """Describe a node that was let in and has not yet come back with its certificate."""
    return Verdict(NodeState.CONNECTING, "let in; it has not been heard yet", "wait")


def _maintenance(now: Situation) -> Verdict:
    where = "" if now.connected else "; it is not connected"
    return Verdict(
        NodeState.MAINTENANCE, f"an administrator put it into maintenance{where}", "activate it when ready"
    )


def _alive(now: Situation) -> Verdict:
    if now.another_machine:
        return Verdict(
            NodeState.NON_OPERATIONAL,
            now.another_machine,
            "activate it if the machine was exchanged; on a copy of its disk, virtnodectl new-key",
        )
    if now.healthy:
        return Verdict(NodeState.UP)
    reason = printable("; ".join(now.problems[:10]), 1000) or "it says that it is not healthy"
    return Verdict(NodeState.NON_OPERATIONAL, reason, "look at the problems on the node's console")


def _is_lost(now: Situation, graces: Graces) -> bool:
    guests = min(now.guests, MOST_GUESTS)
    grace = max(graces.silence, MISSED_HEARTBEATS * HEARTBEAT_INTERVAL) + GRACE_PER_GUEST * guests
    return now.silence > grace and now.engine_age >= graces.start


def _lost(now: Situation) -> Verdict:
    if now.rebooting is not None:
        return Verdict(
            NodeState.UNREACHABLE, "it did not come back from its reboot", "look at the machine's own console"
        )
    return Verdict(
        NodeState.UNREACHABLE, "it has not been heard", "check the node's power, network and console"
    )


def _connecting(now: Situation) -> Verdict:
    if not now.connected:
        return Verdict(NodeState.CONNECTING, "not connected; it dials again by itself", "wait")
    if now.heard:
        return Verdict(NodeState.CONNECTING, "connected, but heartbeats are late", "wait")
    return Verdict(NodeState.CONNECTING, "connected; its first heartbeat is awaited", "wait")
