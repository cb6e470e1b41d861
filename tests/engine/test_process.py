"""What an engine asks of its own process, seen in a process of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, resource, ssl, sys
from engine.process import TLS_BUFFER, allow_many_files, keep_connections_small

resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
allow_many_files()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
assert soft == hard, (soft, hard)
keep_connections_small()

async def buffer_size():
    loop = asyncio.get_running_loop()
    made = asyncio.sslproto.SSLProtocol(
        loop, asyncio.Protocol(), ssl.create_default_context(), loop.create_future()
    )
    return len(made.get_buffer(0))

assert asyncio.run(buffer_size()) == TLS_BUFFER
"""


def test_a_process_for_many_connections() -> None:
    """It may open as many files as is allowed at all, and a connection's buffer is small."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path.cwd(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
