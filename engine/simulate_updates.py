"""Simulated nodes that live: they dial again and again, and take updates with the end that was chosen."""

import asyncio
import contextlib
import dataclasses
import hashlib
import json
import time
from base64 import b64decode
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from engine.calls import Calls
from engine.simulate import AWAY, Measurements, SimulatedNode, SimulateOptions, Wire, dial, node_context
from nodelib.bus_update import UpdateState, UpdateView
from nodelib.codec import decode_lenient
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply
from nodelib.link import HEARTBEAT, Nothing, Verb
from nodelib.link_update import (
    FETCH_IMAGE,
    GET_PACKAGES,
    GET_UPDATE,
    UPDATE,
    ImagePartRequest,
    PackagesReply,
    UpdateOrder,
)

Q = TypeVar("Q")
R = TypeVar("R")
AT_WORK = (UpdateState.FETCHING, UpdateState.WRITING, UpdateState.READY, UpdateState.TRIAL)


class Outcome(StrEnum):
    """What becomes of each update."""

    SUCCEED = "succeed"
    ROLL_BACK = "roll-back"
    FAIL = "fail"


class LivingNode:
    """A joined node that lives until it is cancelled."""

    def __init__(
        self,
        node: SimulatedNode,
        outcome: Outcome = Outcome.SUCCEED,
        *,
        heartbeat_interval: float = 10.0,
        step_seconds: float = 0.1,
        measured: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.node = node
        self.outcome = outcome
        self.view = UpdateView()
        self.spans: list[tuple[float, float]] = []
        """From when to when it was at work on an update: seconds of the steady clock."""
        self._interval = heartbeat_interval
        self._step = step_seconds
        self._measured = measured
        self._wire: Wire | None = None
        self._connected = asyncio.Event()
        self._calls = Calls()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether the engine is there."""
        return self._connected.is_set()

    @property
    def build(self) -> str:
        """The build that it runs."""
        return self.node.facts.build_id

    async def live(self, host: str, port: int, authority: str) -> None:
        """Be connected, and dial again whenever that ends."""
        context = node_context(authority, self.node)
        try:
            while True:
                with contextlib.suppress(*AWAY):
                    async with dial(host, port, context) as connection:
                        await self._serve(Wire(connection))
                await asyncio.sleep(self._step)
        finally:
            for task in self._tasks:
                task.cancel()

    async def _serve(self, wire: Wire) -> None:
        await wire.hello()
        self._wire = wire
        self._connected.set()
        beating = asyncio.create_task(self._beat())
        try:
            while True:
                message = await wire.receive()
                if isinstance(message, Reply):
                    self._calls.resolve(message)
                elif message.id is not None:
                    await self._send(dump_reply(self._answer(message)))
        finally:
            self._connected.clear()
            beating.cancel()
            self._calls.end(ConnectionResetError)

    async def _beat(self) -> None:
        first = True
        with contextlib.suppress(*AWAY):
            while True:
                begun = time.perf_counter()
                beat = self.node.heartbeat(time.time(), with_facts=first)
                await self._calls.call(self._send, HEARTBEAT, beat)
                self._measured(time.perf_counter() - begun)
                first = False
                await asyncio.sleep(self._interval)

    def _answer(self, request: Request) -> Reply:
        try:
            return Reply(request.id, self._result(request))
        except VirtnodeError as error:
            return Reply(request.id, error=error)

    def _result(self, request: Request) -> object:
        if request.method == GET_UPDATE.name:
            return self.view
        if request.method == GET_PACKAGES.name:
            return PackagesReply(self.build, {"simulated": self.build})
        if request.method == UPDATE.name:
            return self._begin(decode_lenient(UpdateOrder, request.params))
        raise VirtnodeError(Code.NOT_FOUND, f"the node knows no {request.method}")

    def _begin(self, order: UpdateOrder) -> Nothing:
        if self.view.state in AT_WORK:
            raise VirtnodeError(Code.CONFLICT, "an update is under way", "wait")
        self._show(UpdateState.FETCHING, order)
        task = asyncio.create_task(self._install(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Nothing()

    async def _install(self, order: UpdateOrder) -> None:
        begun = time.monotonic()
        try:
            await self._fetch(order)
            if self.outcome is Outcome.FAIL:
                raise VirtnodeError(Code.DENIED, "no key that this node trusts has signed it", "sign it")
            await self._restart_into(order)
        except VirtnodeError as error:
            self._show(UpdateState.FAILED, order, error=error.message, hint=error.hint)
        self.spans.append((begun, time.monotonic()))

    async def _fetch(self, order: UpdateOrder) -> None:
        digest, offset = hashlib.sha256(), 0
        while offset < order.size_bytes:
            part = await self._call(FETCH_IMAGE, ImagePartRequest(order.digest, offset))
            data = b64decode(part.data)
            digest.update(data)
            offset += len(data)
            self._show(UpdateState.FETCHING, order, percent=100 * offset // order.size_bytes)
        if digest.hexdigest() != order.digest:
            raise VirtnodeError(Code.FAILED, "the image was damaged on its way", "upgrade again")

    async def _restart_into(self, order: UpdateOrder) -> None:
        former = self.build
        self._show(UpdateState.WRITING, order)
        await asyncio.sleep(self._step)
        self._show(UpdateState.READY, order)
        await self._restart(order.build_id)
        self._show(UpdateState.TRIAL, order, waits_for=("libvirt does not answer yet",))
        await asyncio.sleep(self._step)
        if self.outcome is Outcome.ROLL_BACK:
            await self._restart(former)
            self._show(UpdateState.ROLLED_BACK, order, waits_for=("libvirt does not answer",))
        else:
            self._show(UpdateState.KEPT, order)

    async def _restart(self, build: str) -> None:
        """End the connection, and come back with another build."""
        self.node.facts = dataclasses.replace(self.node.facts, build_id=build)
        if self._wire is not None:
            await self._wire.connection.close()
        await asyncio.sleep(self._step)
        await self._connected.wait()

    def _show(self, state: UpdateState, order: UpdateOrder, **more: Any) -> None:  # noqa: ANN401 - a view's
        self.view = UpdateView(
            state, version=order.version, build_id=order.build_id, slot="b", time=time.time(), **more
        )

    async def _call(self, verb: Verb[Q, R], request: Q) -> R:
        """Ask the engine, again whenever it is away."""
        while True:
            await self._connected.wait()
            try:
                return await self._calls.call(self._send, verb, request)
            except AWAY:
                await asyncio.sleep(self._step)

    async def _send(self, document: dict[str, Any]) -> None:
        if self._wire is None:
            raise ConnectionResetError
        await self._wire.connection.send(json.dumps(document))


async def live_for_a_while(
    options: SimulateOptions, authority: str, node: SimulatedNode, measurements: Measurements
) -> None:
    """Be one node that takes updates, until the time of a simulation is over."""
    living = LivingNode(
        node,
        Outcome(options.updates),
        heartbeat_interval=options.heartbeat_interval,
        step_seconds=1.0,
        measured=measurements.heartbeat.append,
    )
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(options.seconds):
            await living.live(options.host, options.port, authority)
