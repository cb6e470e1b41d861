"""What an engine asks of its own process, seen in a process of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio, gc, resource, ssl, sys
from engine.process import (
    SWITCH_SECONDS, TLS_BUFFER, YOUNG_OBJECTS,
    allow_many_files, collect_seldom, keep_connections_small, take_short_turns,
)

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
take_short_turns()
assert sys.getswitchinterval() == SWITCH_SECONDS
here = len(gc.get_objects())
collect_seldom()
assert gc.get_freeze_count() > 1000 and len(gc.get_objects()) < here / 10
assert gc.get_threshold()[0] == YOUNG_OBJECTS
"""


def test_a_process_for_many_connections() -> None:
    """Many files, small buffers, short turns of threads, and little garbage to look for."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path.cwd(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
