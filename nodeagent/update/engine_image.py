"""A bundle on its way from the engine: wanted by one thread, fetched in pieces by the link's own."""

import base64
import binascii
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

from nodelib.errors import Code, VirtnodeError
from nodelib.link_update import ImagePart, ImagePartRequest, UpdateOrder

Call = Callable[[ImagePartRequest], ImagePart]
PATIENCE = 300.0
"""Seconds that may go by without a piece: a connection that was lost is dialled again meanwhile."""


@dataclass
class Image:
    """One bundle: how far it is, and what became of it."""

    order: UpdateOrder
    target: IO[bytes] = field(repr=False)
    on_bytes: Callable[[int], None]
    offset: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    error: VirtnodeError | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether all of it is here."""
        return self.offset >= self.order.size_bytes


class EngineImages:
    """At most one bundle at a time; it goes on where it was after a lost connection."""

    def __init__(self, on_new: Callable[[], None] = lambda: None) -> None:
        self._on_new = on_new
        """Called when there is a piece to ask for."""
        self._changed = threading.Condition()
        self._image: Image | None = None

    @property
    def is_waiting(self) -> bool:
        """Tell whether there is a piece to ask for."""
        return self._image is not None

    def fetch(
        self,
        order: UpdateOrder,
        target: IO[bytes],
        on_bytes: Callable[[int], None],
        patience: float = PATIENCE,
    ) -> None:
        """Have a bundle written to `target`, and wait; raises VirtnodeError if it is not what was ordered."""
        image = Image(order, target, on_bytes)
        with self._changed:
            self._image = image
            self._on_new()
            try:
                while image.error is None and not image.is_whole:
                    before = image.offset
                    self._changed.wait(patience)
                    if image.offset == before and image.error is None:
                        raise VirtnodeError(
                            Code.UNAVAILABLE,
                            "the engine sent nothing of the bundle any more",
                            "order it again",
                        )
            finally:
                self._image = None
        if image.error is not None:
            raise image.error
        if image.digest.hexdigest() != order.digest:
            raise VirtnodeError(Code.INVALID, "the bundle is not what the engine ordered", "order it again")

    def fetch_next(self, call: Call) -> None:
        """Ask for one piece over the link, if any is wanted; the link's own errors go on to the caller."""
        image = self._image
        if image is None or image.is_whole:
            return
        try:
            data = _read_part(call(ImagePartRequest(image.order.digest, image.offset)))
            if not data or image.offset + len(data) > image.order.size_bytes:
                raise VirtnodeError(
                    Code.INVALID, "the engine sent a piece that does not fit", "order it again"
                )
            self._take(image, data)
        except OSError as error:
            self._end(image, VirtnodeError(Code.FAILED, f"the bundle cannot be kept: {error.strerror}"))
        except VirtnodeError as error:
            if error.code is Code.UNAVAILABLE:
                raise
            self._end(image, error)

    def _take(self, image: Image, data: bytes) -> None:
        with self._changed:
            if self._image is not image:
                # Whoever wanted it has given up, and its file is closed.
                return
            image.target.write(data)
            image.digest.update(data)
            image.offset += len(data)
            image.on_bytes(len(data))
            self._changed.notify_all()

    def _end(self, image: Image, error: VirtnodeError) -> None:
        with self._changed:
            image.error = error
            self._image = None
            self._changed.notify_all()


def _read_part(part: ImagePart) -> bytes:
    try:
        return base64.b64decode(part.data, validate=True)
    except binascii.Error as error:
        raise VirtnodeError(Code.INVALID, "the engine sent a piece that cannot be read") from error
