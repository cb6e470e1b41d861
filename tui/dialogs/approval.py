"""The approval code large, its fingerprint and a QR code, over the whole screen."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from nodelib.bus import Status
from nodelib.link import NodeState
from tui.dialogue import Dialogue
from tui.qr import approval_texts, fit_qr
from tui.texts import say
from tui.widgets.line import Line

WAITING = ("", NodeState.PENDING)
BESIDE = 30
"""Columns beside the code."""


async def show_approval(dialogue: Dialogue, status: Status) -> None:
    """Show the code of a node that waits, or say that there is none."""
    # A node knows its code at all times; there is something to approve while no engine has let it in.
    if status.approval_code and status.engine and status.state in WAITING:
        dialog = ApprovalDialog(status.approval_code, status.fingerprint, ascii=dialogue.look.ascii)
        await dialogue.show(dialog)
    else:
        await dialogue.tell(say("status.no_code"))


class ApprovalDialog(ModalScreen[None]):
    """Any of Esc, Enter and c closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,c", "dismiss", "frame.back")]
    DEFAULT_CSS = """
    ApprovalDialog { background: $background; }
    ApprovalDialog #qr { width: auto; }
    ApprovalDialog #beside { width: 1fr; padding: 1; }
    ApprovalDialog Line { margin-bottom: 1; }
    ApprovalDialog #qr, ApprovalDialog .code { margin-bottom: 0; }
    ApprovalDialog .code { text-style: bold; }
    """

    def __init__(self, code: str, fingerprint: str, *, ascii: bool) -> None:
        super().__init__()
        self._code = code
        self._fingerprint = fingerprint
        self._ascii = ascii

    def compose(self) -> ComposeResult:
        """Lay out the picture and what it says."""
        width, height = self.app.size
        texts = approval_texts(self._code, self._fingerprint)
        picture = fit_qr(texts, width - BESIDE, height, ascii=self._ascii)
        with Horizontal():
            if picture is not None:
                yield Line(picture, id="qr")
            with Vertical(id="beside"):
                yield Line(say("status.qr"), classes="heading")
                yield Line(" ".join(self._code), classes="code heading")
                yield Line("")
                yield Line(self._fingerprint)
                yield Line(say("status.qr_text"), classes="hint")
                yield Line(f"Esc {say('frame.back')}")
