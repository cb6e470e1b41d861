"""The port that browsers and tools use. Only this module imports uvicorn."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from nodelib.errors import Code, VirtnodeError


class RestServer:
    """Serves an application with TLS in the loop that is running."""

    def __init__(self, app: ASGIApp, certificate: Path) -> None:
        self._certificate = certificate
        self._config = uvicorn.Config(
            app,
            ssl_certfile=certificate,
            ssl_keyfile=certificate,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(self._config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, sock: socket.socket) -> None:
        """Answer what dials a listening socket."""
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise VirtnodeError(Code.FAILED, "the REST server ended at once", "see the log")
            await asyncio.sleep(0.01)
        assert isinstance(self._config.ssl, ssl.SSLContext)
        self._config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2

    def reload_certificate(self) -> None:
        """Show the certificate that was made anew from now on."""
        if isinstance(self._config.ssl, ssl.SSLContext):
            self._config.ssl.load_cert_chain(self._certificate)

    async def stop(self) -> None:
        """Finish the requests of now, and close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the loop."""
        yield
