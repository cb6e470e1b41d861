"""TLS that one thread reads while others write, against a real server."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.dial import start_tls
from nodeagent.join_error import JoinError
from nodeagent.tls_socket import TlsSocket
from tests.nodeagent.authority import Authority

PIECES, SIZE = 300, 20_000


@contextlib.contextmanager
def echo_server(folder: Path) -> Iterator[int]:
    """Run a TLS server that says everything back and ends when told `end`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(time.time()).issue().write(folder))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            if data.endswith(b"end"):
                break
        writer.close()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def wait_for_data(tls: TlsSocket) -> bytes:
    """Wait until something came; empty at the end."""
    while (data := tls.read()) is None:
        tls.feed()
    return data


def test_one_reads_while_others_write(tmp_path: Path) -> None:
    """Megabytes from several threads come back whole, piece by piece, and the end is seen."""
    with echo_server(tmp_path) as port:
        tls = start_tls(socket.create_connection(("127.0.0.1", port)), "localhost", None, 10)
        assert tls.peer_certificate()
        received = bytearray()

        def read() -> None:
            while data := wait_for_data(tls):
                received.extend(data)

        def write(letter: bytes) -> None:
            for _ in range(PIECES):
                tls.sendall(letter * SIZE)

        reader = threading.Thread(target=read)
        writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
        for thread in (reader, *writers):
            thread.start()
        for thread in writers:
            thread.join()
        tls.sendall(b"end")
        reader.join(30)
        assert not reader.is_alive()
        tls.close()
    assert len(received) == 2 * PIECES * SIZE + 3
    # Each piece is whole, in whichever order the threads came.
    pieces = {bytes(received[place : place + SIZE]) for place in range(0, len(received) - 3, SIZE)}
    assert pieces == {b"a" * SIZE, b"b" * SIZE}
    assert received.endswith(b"end")


def test_a_server_that_hangs_up_is_a_clear_error(tmp_path: Path) -> None:
    """A connection that ends during the handshake fails with a hint, and the socket is closed."""
    near, far = socket.socketpair()
    far.close()
    with pytest.raises(JoinError, match="TLS could not be started") as caught:
        start_tls(near, "localhost", None, 5)
    assert caught.value.hint
    assert near.fileno() == -1
