"""One WebSocket over TLS, against a real server: what comes, what ends the waiting, and how it ends."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from nodeagent.bell import Bell
from nodeagent.dial import Endpoint, start_tls
from nodeagent.link_client import Channel, Closed, open_channel
from nodelib.link import MAX_FRAME
from tests.nodeagent.authority import Authority

Talk = Callable[[ServerConnection], Awaitable[None]]


@contextlib.contextmanager
def channel_to(folder: Path, talk: Talk, **pings: float) -> Iterator[Channel]:
    """Open a channel to a server that talks as a test wants it to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(time.time()).issue().write(folder))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def handle(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await talk(connection)

    async def start() -> Server:
        return await serve(handle, "127.0.0.1", 0, ssl=context, ping_interval=None, close_timeout=0.5)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    port = next(iter(server.sockets)).getsockname()[1]
    try:
        secured = start_tls(socket.create_connection(("127.0.0.1", port)), "localhost", None, 10)
        with open_channel(secured, Endpoint("127.0.0.1", port), 10, **pings) as channel:
            yield channel
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_messages_come_whole_and_in_order(tmp_path: Path) -> None:
    """One in pieces, one in one piece, and an answer to what was sent from another thread."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send(["in ", "three ", "pieces"])
        await connection.send("in one")
        await connection.send(f"heard {await connection.recv()!r}")

    with channel_to(tmp_path, talk) as channel:
        threading.Thread(target=channel.send, args=("ä word",)).start()
        assert [channel.receive(10) for _ in range(3)] == [
            b"in three pieces",
            b"in one",
            "heard 'ä word'".encode(),
        ]


def test_waiting_ends_in_time_or_by_the_bell(tmp_path: Path) -> None:
    """None in both cases; a bell that rings already ends it at once, and one that was cleared does not."""

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()

    bell = Bell()
    with channel_to(tmp_path, talk) as channel:
        assert channel.receive(0) is None
        began = time.monotonic()
        assert channel.receive(0.2) is None
        assert 0.2 <= time.monotonic() - began < 5
        ringing = threading.Timer(0.1, bell.ring)
        ringing.start()
        assert channel.receive(60, bell) is None
        assert channel.receive(60, bell) is None
        assert time.monotonic() - began < 20
        bell.clear()
        assert channel.receive(0.1, bell) is None
        ringing.join()


def test_each_end_asks_whether_the_other_lives(tmp_path: Path) -> None:
    """The server's ping is answered, and its answers keep a quiet connection open."""

    async def talk(connection: ServerConnection) -> None:
        await (await connection.ping())
        await connection.send("answered")
        await connection.wait_closed()

    with channel_to(tmp_path, talk, ping_interval=0.1, ping_timeout=5) as channel:
        assert channel.receive(10) == b"answered"
        assert channel.receive(1) is None


def test_the_other_ends_last_words_are_kept(tmp_path: Path) -> None:
    """What came before is still there; then the reason is told, whatever is done next."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send("last")
        await connection.close(1008, "shut out")

    with channel_to(tmp_path, talk) as channel:
        assert channel.receive(10) == b"last"
        for _ in range(2):
            with pytest.raises(Closed) as caught:
                channel.receive(10)
            assert caught.value.reason == "shut out"
        with pytest.raises(Closed):
            channel.send("too late")


def test_another_thread_ends_the_waiting(tmp_path: Path) -> None:
    """The other end hears a good-bye."""
    heard: list[int] = []

    async def talk(connection: ServerConnection) -> None:
        await connection.wait_closed()
        heard.append(connection.close_code or 0)

    with channel_to(tmp_path, talk) as channel:
        ending = threading.Timer(0.2, channel.close)
        ending.start()
        with pytest.raises(Closed):
            channel.receive(30)
        ending.join()
    assert heard == [1000]


def test_a_message_without_end_is_refused(tmp_path: Path) -> None:
    """More than the link allows ends the connection, before it takes the memory."""

    async def talk(connection: ServerConnection) -> None:
        await connection.send("x" * (MAX_FRAME + 1))
        await connection.wait_closed()

    with channel_to(tmp_path, talk) as channel, pytest.raises(Closed):
        channel.receive(20)
