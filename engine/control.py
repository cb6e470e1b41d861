"""The way from the command line to the running engine: a Unix socket that only its owner can open."""

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from engine.administration import Administration
from engine.events import one_request
from nodelib.codec import decode, encode
from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import Reply, Request, dump_reply, dump_request, parse_message
from nodelib.link import Verb

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")
SOCKET_NAME = "control.sock"
LARGEST_LINE = 64 << 20
TIMEOUT = 300.0


def answer_request(administration: Administration, request: Request) -> Reply:
    """Answer one call of the command line."""
    try:
        known = administration.answers().get(request.method)
        if known is None:
            raise VirtnodeError(
                Code.NOT_FOUND, f"the engine knows no {request.method}", "engine and command differ: update"
            )
        verb, function = known
        with one_request():
            return Reply(request.id, function(decode(verb.request, request.params)))
    except VirtnodeError as error:
        return Reply(request.id, error=error)


class ControlServer:
    """Answers the command line while the engine runs."""

    def __init__(self, home: Path, administration: Administration) -> None:
        self._path = home / SOCKET_NAME
        self.administration = administration
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; whatever an engine that died has left there goes."""
        self._path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX)
        try:
            # The mode is there before the socket can be connected to.
            sock.bind(str(self._path))
            self._path.chmod(0o600)
        except OSError as error:
            sock.close()
            raise VirtnodeError(
                Code.FAILED, f"{self._path}: {error.strerror or error}", "give --home a shorter path"
            ) from error
        self._server = await asyncio.start_unix_server(self._handle, sock=sock, limit=LARGEST_LINE)

    async def stop(self) -> None:
        """Close the socket, and take its name away."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            message = parse_message(await reader.readline())
            if isinstance(message, Request):
                reply = await asyncio.to_thread(answer_request, self.administration, message)
                writer.write(json.dumps(dump_reply(reply)).encode() + b"\n")
                await writer.drain()
        except VirtnodeError as error:
            logger.warning("control socket: %s", error.message)
        except (OSError, ValueError) as error:
            logger.warning("control socket: %s", error)
        except Exception:  # The outermost loop of a call: the caller sees the socket close.
            logger.exception("control socket: a call failed")
        finally:
            writer.close()


def call_engine(home: Path, verb: Verb[Q, R], request: Q) -> R | None:
    """Ask the running engine; None when none runs."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(TIMEOUT)
        try:
            sock.connect(str(home / SOCKET_NAME))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise VirtnodeError(
                Code.UNAVAILABLE, f"cannot reach the engine: {error.strerror or error}", "are you its user?"
            ) from error
        call = dump_request(Request(verb.name, encode(request), 1))
        try:
            sock.sendall(json.dumps(call).encode() + b"\n")
            with sock.makefile("rb") as answers:
                line = answers.readline()
        except OSError as error:
            raise VirtnodeError(Code.UNAVAILABLE, "the engine does not answer", "see its log") from error
    if not line:
        raise VirtnodeError(Code.FAILED, "the engine gave no answer", "see its log")
    return read_reply(verb, parse_message(line))


def call_directly(administration: Callable[[], Administration], verb: Verb[Q, R], request: Q) -> R:
    """Do without an engine what it would do."""
    params: Any = request
    return read_reply(verb, answer_request(administration(), Request(verb.name, encode(params), 1)))


def read_reply(verb: Verb[Q, R], reply: Reply | Request) -> R:
    """Read the answer to a verb; raises the error that came instead."""
    if not isinstance(reply, Reply):
        raise VirtnodeError(Code.FAILED, "the engine asked instead of answering", "see its log")
    if reply.error is not None:
        raise reply.error
    return decode(verb.reply, encode(reply.result))
