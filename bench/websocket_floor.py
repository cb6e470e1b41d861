"""What as many bare WebSocket connections cost: the floor under an engine's figures.

`serve` answers every message with one of the same size; `load` keeps connections that send one of a
heartbeat's size every ten seconds. Both are run by `bench.engine_load`.
"""

import argparse
import asyncio
import json
import random
import ssl
import statistics
import time
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

INTERVAL = 10.0
"""Seconds between two messages of a connection, as between two heartbeats."""
AT_ONCE = 50


async def run_server(port: int, certificate: Path, reply: str) -> None:
    """Answer until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def answer(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(reply)

    async with serve(answer, "127.0.0.1", port, ssl=context, compression=None, ping_interval=None):
        await asyncio.get_running_loop().create_future()


async def run_load(port: int, connections: int, seconds: float, message: str) -> list[float]:
    """Keep connections for a time, and return how many seconds each answer took."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    turns, taken = asyncio.Semaphore(AT_ONCE), list[float]()

    async def live() -> None:
        async with turns:
            connection = await connect(
                f"wss://127.0.0.1:{port}/",
                ssl=context,
                proxy=None,
                compression=None,
                ping_interval=None,
                open_timeout=60,
            )
        end = time.perf_counter() + seconds
        async with connection:
            while (begun := time.perf_counter()) < end:
                await connection.send(message)
                await connection.recv()
                taken.append(time.perf_counter() - begun)
                pause = INTERVAL * random.uniform(0.8, 1.2)
                await asyncio.sleep(max(0.0, min(pause, end - time.perf_counter())))

    await asyncio.gather(*(live() for _ in range(connections)))
    return taken


def main() -> None:
    """Serve, or load and print what was measured as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.websocket_floor", description=__doc__)
    parser.add_argument("role", choices=["serve", "load"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bytes", type=int, required=True, help="size of each message")
    parser.add_argument("--certificate", type=Path, help="key and certificate as PEM, to serve with")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    text = "x" * arguments.bytes
    if arguments.role == "serve":
        asyncio.run(run_server(arguments.port, arguments.certificate, text))
        return
    taken = asyncio.run(run_load(arguments.port, arguments.connections, arguments.seconds, text))
    late = sorted(taken)[int(len(taken) * 0.99)]
    figures = {
        "messages": len(taken),
        "median_ms": round(statistics.median(taken) * 1e3, 1),
        "late_ms": round(late * 1e3, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
