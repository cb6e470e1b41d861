"""Updates of nodes: each is begun here, and followed until it is kept, taken back or failed.

A restart of the engine ends none: what is known of an update is in the database before anything follows
from it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from engine.events import Actor, Event, record
from engine.images import Image, Images, choose_image, missing_file
from engine.node import Node
from engine.nodes import Nodes
from engine.store import roll_rows, update_rows
from engine.store.database import Connection, Store
from engine.store.image_rows import ImageRow
from engine.store.update_rows import UpdateRow
from engine.update_state import (
    AGAIN,
    UNDER_WAY,
    Finding,
    Phase,
    UpdateDecision,
    follow_view,
    is_under_way,
    judge_update,
)
from nodelib.bus_update import PackageChange, UpdateState
from nodelib.errors import Code, VirtnodeError
from nodelib.link import NodeState, Nothing, Severity, Verb
from nodelib.link_update import GET_PACKAGES, GET_UPDATE, UPDATE, UpdateOrder

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
POLL_TIMEOUT = 10.0
CONNECT_WITHIN = 120.0
"""Seconds in which a node must take its order: after a restart of the engine nodes come back one by one."""
TRANSIENT = (Code.UNAVAILABLE, Code.BUSY)
SEVERITIES = {Phase.KEPT: Severity.INFO, Phase.ROLLED_BACK: Severity.WARNING, Phase.FAILED: Severity.ERROR}


class Caller(Protocol):
    """The way to the nodes."""

    async def call(self, node: str, verb: Verb[Q, R], request: Q, timeout: float = POLL_TIMEOUT) -> R:
        """Ask a node. Raises its VirtnodeError, or (unavailable) if it is not connected."""


@dataclass(frozen=True)
class UpdateWish:
    """What somebody asks for: an image, or the newest that fits without one."""

    image: str = ""
    stop_guests: bool = False
    seconds: float | None = None
    """How long it may take; by the settings without it."""
    roll: str | None = None


@dataclass(frozen=True)
class Updatable:
    """What a node runs, what it could run, and how its newest update stands."""

    node: Node
    image: ImageRow | None
    update: UpdateRow | None


class Updates:
    """The updates of all nodes; what is not a coroutine may be called from any thread, and waits."""

    def __init__(self, store: Store, nodes: Nodes, images: Images, clock: Callable[[], float]) -> None:
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something to do."""
        self._store = store
        self._nodes = nodes
        self._images = images
        self._clock = clock

    def begin(self, words: str, wish: UpdateWish, actor: Actor) -> Node:
        """Put a node into maintenance, and have it take an image.

        Raises VirtnodeError: not-found, unavailable for a node that is not connected, conflict where it is
        being updated, runs that build already, has guests or is of another kind.
        """
        images = (self._images.find(wish.image),) if wish.image else self._images.list()

        def decide(connection: Connection, node: Node) -> UpdateDecision:
            former = update_rows.find_update(connection, node.id)
            image = _choose(images, node, asked=bool(wish.image))
            _check_node(node, image, former, wish)
            row = self._make_row(node, image.row, former, wish, actor)
            update_rows.put_update(connection, row)
            if wish.roll is not None:
                roll_rows.change_roll_node(connection, wish.roll, node.id, state="updating", reason="")
                roll_rows.change_roll(connection, wish.roll, since=self._clock())
            text = f"{node.name} is to be updated to {row.version} ({row.build_id})"
            event = Event(Severity.INFO, "update-ordered", text, node.id, node.facts.build_id, row.build_id)
            return UpdateDecision(judge_update(row), maintenance=True, event=event)

        node = self._nodes.keep_update(words, actor, decide)
        self.wake()
        return node

    def find(self, node: str) -> UpdateRow | None:
        """Find a node's newest update."""
        with self._store.read() as connection:
            return update_rows.find_update(connection, node)

    def look(self, words: str, image: str = "") -> Updatable:
        """Tell what a node runs and could run: the image that is named, or the newest that fits."""
        node = self._nodes.find(words)
        if image:
            chosen: ImageRow | None = self._images.find(image).row
        else:
            chosen = choose_image([one.row for one in self._images.list()], node)
        return Updatable(node, chosen, self.find(node.id))

    def check(self, words: str, actor: Actor) -> Updatable:
        """Look whether there is an update for a node, and have the log say so."""
        found = self.look(words)
        text = f"{found.node.name} has no newer image"
        if found.image is not None:
            text = f"{found.node.name} can be updated to {found.image.version} ({found.image.build_id})"
        with self._store.write() as connection:
            event = Event(Severity.INFO, "update-checked", text, found.node.id)
            record(connection, event, actor, self._clock())
        return found

    def under_way(self) -> tuple[UpdateRow, ...]:
        """List the updates that have not come to an end."""
        with self._store.read() as connection:
            return tuple(row for row in update_rows.list_standing(connection) if is_under_way(row))

    async def compare_packages(self, found: Updatable, link: Caller) -> tuple[PackageChange, ...]:
        """Tell what an image would change on a node; nothing where either is not known.

        The node is asked what it was made of, unless an image of the same build is here.
        """
        if found.image is None:
            return ()
        after = await asyncio.to_thread(self._images.packages_of, found.image.build_id)
        before = await asyncio.to_thread(self._images.packages_of, found.node.facts.build_id)
        if before is None:
            try:
                reply = await link.call(found.node.id, GET_PACKAGES, Nothing())
            except VirtnodeError as error:
                logger.info("%s: what it is made of is not known: %s", found.node.name, error.message)
                return ()
            before = dict(reply.packages)
        return compare(before, after or {})

    async def advance(self, row: UpdateRow, link: Caller) -> None:
        """Bring an update a step on, as far as the node is."""
        state = await asyncio.to_thread(self._nodes.find_state, row.node_id)
        if state in (None, NodeState.REJECTED, NodeState.PENDING):
            await asyncio.to_thread(self._abandon, row)
            return
        try:
            if row.phase == Phase.ORDERING:
                finding = await self._order(row, link)
            else:
                view = await link.call(row.node_id, GET_UPDATE, Nothing())
                finding = follow_view(row, view, await self._running_build(row))
        except VirtnodeError as error:
            finding = self._excuse(row, error)
        if self._clock() >= row.deadline and (finding is None or finding.phase in UNDER_WAY):
            last = (finding.reason if finding else "") or row.reason or "it did not say how it goes"
            minutes = (row.deadline - row.started) / 60
            text = (
                f"not updated to {row.version} within {minutes:.0f} minutes; the last that was known: {last}"
            )
            finding = Finding(Phase.FAILED, text, "look at the node's own console")
        if finding is not None:
            await asyncio.to_thread(self._keep, row, finding)

    async def _order(self, row: UpdateRow, link: Caller) -> Finding | None:
        view = await link.call(row.node_id, GET_UPDATE, Nothing())
        if row.mark is None:
            await asyncio.to_thread(self._change, row, mark=view.time)
        elif view.time != row.mark and view.state is not UpdateState.IDLE:
            # It has heard the order; it is the engine that does not remember.
            return follow_view(row, view, await self._running_build(row))
        order = UpdateOrder(row.digest, row.size_bytes, row.version, row.build_id, row.stop_guests)
        await link.call(row.node_id, UPDATE, order)
        return Finding(Phase.INSTALLING, f"fetches {row.version}")

    def _excuse(self, row: UpdateRow, error: VirtnodeError) -> Finding | None:
        """Decide what it means that a node did not answer, or refused."""
        phase = Phase(row.phase)
        if phase is not Phase.ORDERING:
            if error.code is not Code.UNAVAILABLE:
                logger.warning("%s: cannot tell how its update goes: %s", row.node_id, error.message)
                return None
            return Finding(phase, f"not connected; it restarts into {row.version}, or lost its connection")
        if error.code in TRANSIENT:
            if self._clock() - row.since < CONNECT_WITHIN:
                return Finding(phase, f"is to be updated to {row.version}; waits for it: {error.message}")
            return Finding(Phase.FAILED, f"could not be told to update: {error.message}", AGAIN)
        if error.code is Code.NOT_FOUND:
            text = "its image is too old to be updated by the engine"
            return Finding(Phase.FAILED, text, "update it at its own console, or install it anew")
        return Finding(Phase.FAILED, f"the node refuses: {error.message}", error.hint or AGAIN)

    def _keep(self, row: UpdateRow, finding: Finding) -> None:
        """Store what was found; a new sentence alone is shown and not stored."""
        if finding.phase == row.phase:
            shown = replace(row, reason=finding.reason)
            self._nodes.show_update(row.node_id, judge_update(shown))
            return

        def decide(connection: Connection, node: Node) -> UpdateDecision:
            now = update_rows.find_update(connection, row.node_id)
            if now is None or not is_under_way(now) or now.started != row.started:
                raise VirtnodeError(Code.CONFLICT, "the update is over")
            ends = finding.phase not in UNDER_WAY
            after = replace(
                now,
                phase=finding.phase.value,
                reason=finding.reason,
                action=finding.action,
                standing=finding.phase is not Phase.KEPT,
                since=self._clock(),
            )
            update_rows.put_update(connection, after)
            maintenance = not (finding.phase is Phase.KEPT and now.was_active)
            return UpdateDecision(judge_update(after), maintenance, _end_event(node, after) if ends else None)

        self._nodes.keep_update(row.node_id, Actor(row.actor, row.correlation), decide)

    def _abandon(self, row: UpdateRow) -> None:
        """End the update of a node that is not one of ours any more."""
        self._change(row, phase=Phase.FAILED.value, standing=False, reason="the node was revoked or removed")

    def _change(self, row: UpdateRow, **values: update_rows.Value) -> None:
        with self._store.write() as connection:
            update_rows.change_update(connection, row.node_id, **values)

    async def _running_build(self, row: UpdateRow) -> str:
        return (await asyncio.to_thread(self._nodes.get, row.node_id)).facts.build_id

    def _make_row(
        self, node: Node, image: ImageRow, former: UpdateRow | None, wish: UpdateWish, actor: Actor
    ) -> UpdateRow:
        now = self._clock()
        return UpdateRow(
            node_id=node.id,
            digest=image.digest,
            size_bytes=image.size_bytes,
            version=image.version,
            build_id=image.build_id,
            build_before=node.facts.build_id,
            phase=Phase.ORDERING.value,
            reason="",
            action="",
            mark=None,
            was_active=not node.maintenance or (former is not None and former.standing and former.was_active),
            stop_guests=wish.stop_guests,
            standing=True,
            roll_id=wish.roll,
            actor=actor.name,
            correlation=actor.correlation,
            started=now,
            deadline=now + (wish.seconds or self._nodes.settings.update_seconds),
            since=now,
        )


def compare(before: dict[str, str], after: dict[str, str]) -> tuple[PackageChange, ...]:
    """List the packages that differ, by name."""
    names = sorted(before.keys() | after.keys())
    changes = (PackageChange(name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(change for change in changes if change.before != change.after)


def _choose(images: tuple[Image, ...], node: Node, *, asked: bool) -> Image:
    if asked:
        return images[0]
    row = choose_image([image.row for image in images], node)
    if row is None:
        raise VirtnodeError(
            Code.CONFLICT,
            f"there is no newer image for {node.name}",
            "add one: virtnode-engine image add FILE",
        )
    return next(image for image in images if image.row is row)


def _check_node(node: Node, image: Image, former: UpdateRow | None, wish: UpdateWish) -> None:
    if former is not None and is_under_way(former):
        raise VirtnodeError(
            Code.CONFLICT, f"{node.name} is being updated to {former.version} already", "wait"
        )
    if not image.here:
        raise missing_file(image.row.version)
    if not node.connected:
        raise VirtnodeError(Code.UNAVAILABLE, f"{node.name} is not connected", "try again when it is")
    if node.facts.cpu.architecture not in ("", image.row.architecture):
        raise VirtnodeError(
            Code.CONFLICT,
            f"{node.name} is {node.facts.cpu.architecture}, and the image {image.row.architecture}",
            "choose another image",
        )
    if node.facts.build_id == image.row.build_id:
        raise VirtnodeError(Code.CONFLICT, f"{node.name} runs that build already", "choose another image")
    guests = node.heartbeat.guests if node.heartbeat else 0
    if guests > 0 and not wish.stop_guests:
        raise VirtnodeError(
            Code.CONFLICT,
            f"{guests} virtual machines run on {node.name}",
            "stop them first, or let the update do it: --stop-guests",
        )


def _end_event(node: Node, row: UpdateRow) -> Event:
    phase = Phase(row.phase)
    text = f"{node.name} runs {row.version} ({row.build_id})"
    if phase is not Phase.KEPT:
        text = f"{node.name}: {row.reason}"
    return Event(SEVERITIES[phase], f"update-{phase.value}", text, node.id, row.build_before, row.build_id)
