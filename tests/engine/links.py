"""A node's side of the link, for tests with real sockets."""

import time

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from engine.serve import Engine
from engine.simulate import SimulatedNode, Wire, dial, node_context, register
from engine.tokens import create_token
from tests.engine.worlds import ADMIN


def make_token(engine: Engine, uses: int = 10) -> str:
    """Make a join token."""
    return create_token(engine.store, uses=uses, seconds=3600, actor=ADMIN, now=time.time()).token


async def join(engine: Engine, number: int = 0, *, node: SimulatedNode | None = None) -> SimulatedNode:
    """Let a node in by a token."""
    node = node or SimulatedNode(number)
    context = node_context(engine.pki.trust_bundle())
    await register("127.0.0.1", engine.link_port, context, node, make_token(engine))
    assert node.certificate
    return node


def open_link(engine: Engine, node: SimulatedNode | None = None) -> connect:
    """Dial, with the certificate of a node if it is given."""
    return dial("127.0.0.1", engine.link_port, node_context(engine.pki.trust_bundle(), node))


async def closing(wire: Wire) -> str:
    """Wait until the engine closes a connection, and return why."""
    try:
        while True:
            await wire.receive()
    except ConnectionClosed as closed:
        return closed.rcvd.reason if closed.rcvd else ""
