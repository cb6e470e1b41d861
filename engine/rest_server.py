"""The port that browsers and tools use. Only this module imports uvicorn."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from nodelib.errors import Code, VirtnodeError


class RestServer:
    """Serves an application with TLS, in a thread and a loop of its own: dialling nodes do not hold it up."""

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
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    async def start(self, sock: socket.socket) -> None:
        """Answer what dials a listening socket."""
        self._thread = threading.Thread(target=self._serve, args=(sock,), name="rest", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                message = "the REST server ended at once"
                raise VirtnodeError(Code.FAILED, message, "see the log") from self._error
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
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _serve(self, sock: socket.socket) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[sock]))
        except Exception as error:  # the outermost loop of the thread: whoever starts the server tells of it
            self._error = error


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the loop."""
        yield
