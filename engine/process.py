"""What an engine of a thousand connections asks of its own process."""

import asyncio.sslproto
import resource

TLS_BUFFER = 8 * 1024


def allow_many_files() -> None:
    """Let this process have as many open files as it may ever have: each connection is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_connections_small() -> None:
    """Have each TLS connection of asyncio read into 8 KiB; its own choice of 256 adds up to most of the RSS.

    Nothing public sets this. Where the attribute has no effect any more, connections are only larger.
    """
    setattr(asyncio.sslproto.SSLProtocol, "max_size", TLS_BUFFER)  # noqa: B010 - typed as final
