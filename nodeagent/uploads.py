"""Files on their way to the engine: handed over by one thread, sent in pieces by the link's own."""

import base64
import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from nodelib.errors import Code, VirtnodeError
from nodelib.link import ARCHIVE_PART, LARGEST_ARCHIVE, ArchivePart, ArchiveReply

Send = Callable[[ArchivePart], ArchiveReply]


@dataclass
class Upload:
    """One file: how far it is, and what becomes of it."""

    content: bytes = field(repr=False)
    digest: str
    offset: int = 0
    done: "Future[str]" = field(default_factory=Future)

    def next_part(self) -> ArchivePart:
        """Make the piece that comes next."""
        data = self.content[self.offset : self.offset + ARCHIVE_PART]
        return ArchivePart(self.digest, len(self.content), self.offset, base64.b64encode(data).decode())


class Uploads:
    """At most one file at a time; nothing is tried again by itself, for somebody waits for the answer."""

    def __init__(self, on_new: Callable[[], None] = lambda: None) -> None:
        self._on_new = on_new
        """Called when there is a piece to send."""
        self._lock = threading.Lock()
        self._upload: Upload | None = None

    @property
    def is_waiting(self) -> bool:
        """Tell whether there is a piece to send."""
        return self._upload is not None

    def send(self, content: bytes, seconds: float) -> str:
        """Bring a file to the engine; returns what the engine calls it.

        Raises VirtnodeError: invalid for one that is too large, busy while another is on its way,
        unavailable where the engine does not take it in time, and whatever the engine says.
        """
        if len(content) > LARGEST_ARCHIVE:
            raise VirtnodeError(
                Code.INVALID, f"the archive is larger than {LARGEST_ARCHIVE >> 20} MiB", "use a USB drive"
            )
        upload = Upload(content, hashlib.sha256(content).hexdigest())
        with self._lock:
            if self._upload is not None:
                raise VirtnodeError(Code.BUSY, "an archive is on its way already", "wait until it is there")
            self._upload = upload
        self._on_new()
        try:
            return upload.done.result(seconds)
        except TimeoutError as error:
            raise VirtnodeError(
                Code.UNAVAILABLE,
                "the engine did not take the archive in time",
                "try again, or use a USB drive",
            ) from error
        finally:
            self._drop(upload)

    def send_next(self, send: Send) -> None:
        """Send one piece over the link, if there is one; the link's own errors go on to the caller."""
        upload = self._upload
        if upload is None:
            return
        try:
            reply = send(upload.next_part())
        except VirtnodeError as error:
            self._drop(upload)
            upload.done.set_exception(error)
            if error.code is Code.UNAVAILABLE:
                raise
            return
        upload.offset = reply.received
        if reply.identifier:
            self._drop(upload)
            upload.done.set_result(reply.identifier)

    def fail(self, error: VirtnodeError) -> None:
        """Tell whoever waits that the connection is gone."""
        upload = self._upload
        if upload is not None:
            self._drop(upload)
            upload.done.set_exception(error)

    def _drop(self, upload: Upload) -> None:
        with self._lock:
            if self._upload is upload:
                self._upload = None
