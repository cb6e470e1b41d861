"""Whoever wants to know of an installation is told by HTTP: a document for start, success and failure."""

import json
import logging
import queue
import threading
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from nodelib.codec import encode

logger = logging.getLogger(__name__)

SCHEMA = 1
SEND_TIMEOUT = 10.0
PAUSE = 3.0
TRIES = 10
"""A node may begin before it has an address."""
Send: TypeAlias = Callable[[str, bytes], None]


@dataclass(frozen=True)
class InstallNews:
    """What is posted, as docs/install-webhook.schema.json says."""

    event: str
    """started, succeeded or failed."""
    hostname: str
    machine: str
    """The machine's UUID, as its firmware says."""
    machine_serial: str
    product: str
    build: str
    disk: str
    disk_model: str
    disk_serial: str
    disk_size_bytes: int
    time: float
    """Seconds since 1970, by this machine's clock."""
    error: str = ""
    schema: int = SCHEMA


def send_by_http(url: str, body: bytes, timeout: float = SEND_TIMEOUT) -> None:
    """Post a document of JSON; raises OSError or ValueError where it is not taken. `timeout` in seconds."""
    # Libraries that seldom have anything to do.
    import http.client
    import urllib.request

    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout):
            pass
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP: {type(error).__name__}") from error


class Courier:
    """Posts news in order, in a thread of its own; whoever does not take them holds nobody up."""

    def __init__(self, url: str, send: Send = send_by_http, pause: float = PAUSE) -> None:
        self._url = url
        self._send = send
        self._pause = pause
        self._news: queue.SimpleQueue[InstallNews | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)
        if url:
            self._thread.start()

    def post(self, news: InstallNews) -> None:
        """Have something posted."""
        if self._url:
            self._news.put(news)

    def finish(self, seconds: float) -> None:
        """Wait until all is posted, but no longer than this."""
        if self._url:
            self._news.put(None)
            self._thread.join(seconds)
            self._hurry.set()

    def _run(self) -> None:
        while (news := self._news.get()) is not None:
            body = json.dumps(encode(news)).encode()
            what = f"the news that the installation {news.event}"
            deliver(self._url, body, what, self._send, lambda: self._hurry.wait(self._pause), TRIES)


def deliver(url: str, body: bytes, what: str, send: Send, wait: Callable[[], bool], tries: int) -> bool:
    """Post a document until it is taken or refused, or `wait` says that it is enough; tell whether it was."""
    for _ in range(tries):
        try:
            send(url, body)
        except urllib.error.HTTPError as error:
            error.close()
            logger.warning("the server did not take %s: HTTP %s", what, error.code)
            if error.code < 500:
                return False
        except (OSError, ValueError) as error:
            # The address may have a secret in it: it is not in the journal.
            logger.info("the server for %s cannot be reached yet: %s", what, type(error).__name__)
        else:
            return True
        if wait():
            break
    return False
