"""Shows an address that works for some minutes: large, with what is left of them, and as a QR code."""

import math
import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from nodelib.bus_support import BundleReply
from tui.look import Look
from tui.qr import fit_qr
from tui.texts import say
from tui.units import size
from tui.widgets.line import Line

LEAST_BESIDE = 26
"""Columns that the address needs beside the code."""


class UrlDialog(ModalScreen[None]):
    """Esc and Enter close it; the address works on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "dismiss", "frame.back")]
    DEFAULT_CSS = """
    UrlDialog { background: $background; }
    UrlDialog #qr { width: auto; }
    UrlDialog #beside { width: 1fr; padding: 0 1; }
    UrlDialog .url { text-style: bold; margin: 1 0; }
    """

    def __init__(
        self, reply: BundleReply, look: Look, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._reply = reply
        self._look = look
        self._clock = clock
        self._until = clock() + reply.seconds_left

    def compose(self) -> ComposeResult:
        """Lay out the picture, if it fits, and what it says."""
        width, height = self.app.size
        room = width - LEAST_BESIDE
        picture = fit_qr((self._reply.where,), room, height, ascii=self._look.ascii)
        with Horizontal():
            if picture is not None:
                yield Line(picture, id="qr")
            with Vertical(id="beside"):
                yield Line(say("support.url_title", size=size(self._reply.size_bytes)), classes="heading")
                key = "support.url_text" if picture is None else "support.url_text_qr"
                yield Line(say(key), classes="hint")
                yield Line(self._reply.where, classes="url")
                yield Line(self._left(), id="left")
                yield Line(f"Esc {say('frame.back')}")

    def on_mount(self) -> None:
        """Count down, on a serial line in larger steps."""
        self.set_interval(5.0 if self._look.slow else 1.0, self.count)

    def count(self) -> None:
        """Show what is left."""
        self.query_one("#left", Line).show(self._left())

    def _left(self) -> str:
        left = math.ceil(self._until - self._clock())
        if left <= 0:
            return say("support.url_over")
        return say("support.url_left", minutes=left // 60, seconds=left % 60)
