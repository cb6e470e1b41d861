"""The support screen: the node checks itself, and makes an archive for whoever helps."""

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content

from nodelib.bus_support import (
    BUNDLE,
    SELF_CHECK,
    USB_DRIVES,
    BundlePlace,
    BundleRequest,
    Check,
    CheckGroup,
    SelfCheckReply,
    UsbDrive,
    Verdict,
)
from nodelib.link import Nothing
from tui.dialogs.choice import Choice
from tui.dialogs.url import UrlDialog
from tui.dialogue import Dialogue
from tui.page import Page, deed
from tui.texts import say, sentence
from tui.units import size
from tui.widgets.line import Line
from tui.widgets.press import Press

PATIENCE = 600.0
"""Seconds in which an archive is made and written to a slow drive."""
MARK = 10
"""Columns of a verdict's word."""
NARROWEST = 40
URGENCY = (Verdict.FAILED, Verdict.WARNING, Verdict.OK, Verdict.SKIPPED)
STYLES = {
    Verdict.OK: "$text-success",
    Verdict.WARNING: "bold $text-warning",
    Verdict.FAILED: "bold $text-error",
    Verdict.SKIPPED: "dim",
}


class SupportPage(Page):
    """Two buttons, and what the last check found: first what is not well."""

    KEY = "support"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "check", "support.check"),
        Binding("a", "archive", "support.archive"),
        Binding("d", "details", "support.details"),
    ]
    DEFAULT_CSS = """
    SupportPage .row { height: 1; }
    """

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._found: SelfCheckReply | None = None
        self._details = False

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal(classes="row"):
            yield Press(say("support.check"), "check")
            yield Press(say("support.archive"), "archive")
            yield Press(say("support.details"), "details")
        yield Line(say("support.check_hint"), classes="hint")
        yield Line(say("support.archive_hint"), classes="hint")
        yield Line(id="doing")
        yield Line(id="found")

    def on_resize(self) -> None:
        """Wrap the findings anew."""
        self._draw()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what a button says."""
        deeds = {"check": self.action_check, "archive": self.action_archive, "details": self.action_details}
        deeds[event.name]()

    def action_details(self) -> None:
        """Show the checks of groups that are well, too, or leave them out again."""
        self._details = not self._details
        self._draw()

    @deed
    async def action_check(self) -> None:
        """Let the node check itself."""
        doing = self.query_one("#doing", Line)
        doing.show(say("support.checking"))
        try:
            self._found = await self.ask(SELF_CHECK, Nothing())
        finally:
            doing.show("")
        self._draw()

    @deed
    async def action_archive(self) -> None:
        """Make the archive and bring it where the person wants it."""
        places = [Choice(place.value, say(f"support.place.{place.value}")) for place in BundlePlace]
        chosen = await self.dialogue.choose(say("support.where"), places)
        if chosen is None:
            return
        place, device = BundlePlace(chosen), ""
        if place is BundlePlace.USB:
            device = await self._choose_drive() or ""
            if not device:
                return
        doing = self.query_one("#doing", Line)
        doing.show(say("support.making"))
        try:
            reply = await self.dialogue.ask(BUNDLE, BundleRequest(place, device), PATIENCE)
        finally:
            doing.show("")
        if place is BundlePlace.URL:
            await self.dialogue.show(UrlDialog(reply, self.dialogue.look))
            return
        text = say(f"support.done.{place.value}", where=reply.where, size=size(reply.size_bytes))
        await self.dialogue.tell(text, say(f"support.done_hint.{place.value}"))

    async def _choose_drive(self) -> str | None:
        drives = (await self.ask(USB_DRIVES, Nothing())).drives
        if not drives:
            await self.dialogue.tell(say("support.no_usb"), say("support.no_usb_hint"))
            return None
        choices = [Choice(drive.device, describe_drive(drive)) for drive in drives]
        return await self.dialogue.choose(say("support.usb_title"), choices)

    def _draw(self) -> None:
        if self._found is not None:
            width = max(self.scrollable_content_region.width, NARROWEST)
            found = draw_findings(self._found, width, details=self._details)
            self.query_one("#found", Line).show(found)
            # What the buttons are for is known by now, and the room is needed.
            for hint in self.query(".hint"):
                hint.display = False


def describe_drive(drive: UsbDrive) -> str:
    """Say which drive it is."""
    label = drive.label or say("support.usb_unnamed")
    words = {"device": drive.device, "label": label, "filesystem": drive.filesystem}
    return say("support.usb", size=size(drive.size_bytes), **words)


def draw_findings(reply: SelfCheckReply, width: int, *, details: bool) -> Content:
    """Draw the verdict, then group by group: whole where something is not well, else a line."""
    verdict = say("support.verdict", verdict=say(f"support.verdict.{reply.verdict}"))
    lines = [Content.styled(verdict, STYLES[reply.verdict]), Content()]
    for group in sorted(reply.groups, key=lambda group: URGENCY.index(group.verdict)):
        lines += draw_group(group, width, details=details)
    return Content("\n").join(lines)


def is_bad(part: CheckGroup | Check) -> bool:
    """Tell whether somebody should look at it."""
    return part.verdict in (Verdict.WARNING, Verdict.FAILED)


def draw_group(group: CheckGroup, width: int, *, details: bool) -> list[Content]:
    """Draw a group: its verdict and name, then the checks that are not well, or all."""
    shown = [check for check in group.checks if details or is_bad(check)]
    count = len(group.checks)
    counted = say("support.count_one") if count == 1 else say("support.count", count=count)
    head = f"{mark(group.verdict)}{group.name.capitalize()} ({counted})"
    lines = [Content.styled(textwrap.fill(head, width, subsequent_indent=" " * MARK), STYLES[group.verdict])]
    for check in shown:
        lines += draw_check(check, width)
    return lines


def draw_check(check: Check, width: int) -> list[Content]:
    """Draw a check: its verdict, what was found, and what to do about it."""
    begin = f"  {mark(check.verdict)}"
    indent = " " * len(begin)
    text = sentence(f"{check.name}: {check.text}")
    said = textwrap.fill(text, width, initial_indent=begin, subsequent_indent=indent)
    lines = [Content.styled(said, STYLES[check.verdict])]
    if check.hint and check.verdict is not Verdict.OK:
        hint = sentence(check.hint)
        said = textwrap.fill(hint, width, initial_indent=f"{indent}> ", subsequent_indent=f"{indent}  ")
        lines.append(Content.styled(said, "bold"))
    return lines


def mark(verdict: Verdict) -> str:
    """Say a verdict in a word of fixed width."""
    return say(f"support.mark.{verdict}").ljust(MARK)
