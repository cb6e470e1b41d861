"""What an engine of a thousand connections asks of its own process."""

import asyncio.sslproto
import gc
import resource
import sys

SWITCH_SECONDS = 0.001
"""How long a thread computes before another may; Python's own choice is five times that."""
TLS_BUFFER = 4 * 1024
YOUNG_OBJECTS = 5000
"""How many objects more there are before garbage is looked for; Python's own choice is 700."""


def allow_many_files() -> None:
    """Let this process have as many open files as it may ever have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_connections_small() -> None:
    """Have each TLS connection of asyncio read into 4 KiB; its own choice of 256 adds up to most of the RSS.

    Nothing public sets this. Where the attribute has no effect any more, connections are only larger.
    """
    setattr(asyncio.sslproto.SSLProtocol, "max_size", TLS_BUFFER)  # noqa: B010 - typed as final


def take_short_turns() -> None:
    """Have threads take shorter turns: an answer of the API needs many, one for each row that it reads."""
    sys.setswitchinterval(SWITCH_SECONDS)


def collect_seldom() -> None:
    """Look for garbage less often, and never among what the start has made.

    A collection halts every thread. One of all that is imported takes longer than most answers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
