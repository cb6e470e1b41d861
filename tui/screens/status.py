"""The status screen: what this machine is, whether it is well, how to reach it, whether it has joined."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from nodelib.bus import AskedKey, Notice, SourceStep, Status
from nodelib.bus_system import Meters
from nodelib.ladder import Ladder, Rung, StepState
from nodelib.link import NodeState
from nodelib.source_steps import is_configured, sort_steps
from tui.dialogs.approval import show_approval
from tui.page import Page, deed
from tui.qr import approval_texts, fit_qr
from tui.seen import Seen
from tui.state_text import state_text
from tui.texts import key_label, say, sentence
from tui.units import size
from tui.widgets.line import Line
from tui.widgets.pair import Pair, bar

TALL = 34
"""Lines of a terminal that has room to spare."""
ROOM_FOR_QR = (110, TALL)
MOST_ASKED = 4
"""Keys to be answered that are named."""
BAD = (NodeState.NON_OPERATIONAL, NodeState.FAILED, NodeState.REJECTED)
MEMBERS = tuple(state for state in NodeState if state not in (NodeState.PENDING, NodeState.REJECTED))
"""States of a node that the engine has let in."""


class StatusPage(Page, can_focus=True):
    """Read only; what is wrong comes before what is well."""

    KEY = "status"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "status.answer_key", show=False),
        Binding("c", "code", "status.code_key", show=False),
    ]
    DEFAULT_CSS = """
    StatusPage Horizontal { height: auto; }
    StatusPage #facts { width: 1fr; height: auto; }
    StatusPage #qr { width: auto; display: none; margin: 0 1; }
    StatusPage #qr.filled { display: block; }
    StatusPage #warnings { margin: 1 0; }
    StatusPage #asked { text-style: bold; margin-bottom: 1; }
    """

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Horizontal():
            with Vertical(id="facts"):
                yield Pair(say("status.state"), id="state", large=True)
                yield Line(classes="heading", id="forgets")
                yield Line(classes="hint", id="why")
                yield Line(id="asked")
                yield Pair(say("status.code"), id="code", large=True)
                yield Pair(say("status.addresses"), id="addresses", large=True)
                yield Pair(say("status.engine"), id="engine", large=True)
                yield Pair(say("status.sources"), id="sources")
                yield Pair(say("status.cpu"), id="cpu")
                yield Pair(say("status.memory"), id="memory")
                for name in ("state", "data", "memory"):
                    yield Pair(say(f"status.disk.{name}"), id=f"disk-{name}")
                yield Pair(say("status.network"), id="network")
                yield Pair(say("status.guests"), id="guests")
                yield Line(id="warnings")
                yield Pair(say("status.version"), id="version")
                yield Pair(say("status.node_key"), id="node-key")
                yield Pair(say("status.ssh_key"), id="ssh-key")
                yield Pair(say("status.ca"), id="ca")
            yield Line(id="qr")

    def see(self, seen: Seen) -> None:
        """Show what is known."""
        status = seen.status
        self._pair("state", full_state(seen))
        lines = {"forgets": what_is_lost(seen), "why": why_not(seen), "asked": asked_line(status.asked)}
        for id, text in lines.items():
            line = self.query_one(f"#{id}", Line)
            line.show(text)
            line.display = bool(text)
        waits = status.approval_code and status.state == NodeState.PENDING
        self._pair("code", f"{status.approval_code}\n{say('status.code_hint')}" if waits else "")
        self._pair("addresses", address_lines(status.addresses, self._most_addresses) if seen.heard else "")
        self._pair("engine", status.engine_url or status.engine)
        self._pair("sources", source_text(status.sources))
        self._show_meters(seen.meters, heard=seen.heard)
        warnings = self.query_one("#warnings", Line)
        warnings.show(warning_lines(seen) if seen.heard else "")
        warnings.set_class(bool(notices(status)), "error")
        self._pair("version", status.product)
        self._pair("node-key", status.fingerprint)
        self._pair("ssh-key", "\n".join(seen.access.host_keys))
        self._pair("ca", "\n".join(status.engine_pins))
        self._show_qr(status, waits=bool(waits))

    @deed
    async def action_answer(self) -> None:
        """Ask what the configuration leaves to a person."""
        # Most nodes are left nothing, and their first picture does without it.
        from tui.answers import answer

        if not self.seen.status.asked:
            await self.dialogue.tell(say("status.nothing_asked"))
            return
        await answer(self.dialogue, self.seen.status.asked)

    @deed
    async def action_code(self) -> None:
        """Show the approval code over the whole screen."""
        await show_approval(self.dialogue, self.seen.status)

    @property
    def _most_addresses(self) -> int:
        return 3 if self.app.size.height < TALL else 12

    def _pair(self, id: str, text: str) -> None:
        self.query_one(f"#{id}", Pair).show(text)

    def _show_meters(self, meters: Meters, *, heard: bool) -> None:
        if not heard or not meters.memory_total_bytes:
            return
        percent = round(meters.cpu_percent)
        load = say("status.cpu_text", percent=percent, load=f"{meters.load:.1f}")
        self._pair("cpu", f"{bar(percent / 100)} {load}")
        self._pair("memory", filled(meters.memory_used_bytes, meters.memory_total_bytes))
        for disk in meters.storage:
            if disk.name in ("state", "data", "memory"):
                self._pair(f"disk-{disk.name}", filled(disk.used_bytes, disk.size_bytes))
        # A bond's traffic is its members' as well: the sum would count it twice, the busiest link does not.
        received = max((link.received for link in meters.links), default=0.0)
        sent = max((link.sent for link in meters.links), default=0.0)
        text = say("status.network_text", received=size(int(received)), sent=size(int(sent)))
        self._pair("network", text)
        self._pair("guests", str(meters.guests_running))

    def _show_qr(self, status: Status, *, waits: bool) -> None:
        line = self.query_one("#qr", Line)
        width, height = self.app.size
        roomy = width >= ROOM_FOR_QR[0] and height >= ROOM_FOR_QR[1]
        picture = None
        if waits and roomy:
            texts = approval_texts(status.approval_code, status.fingerprint)
            picture = fit_qr(texts, width // 2, height - 4, ascii=self.dialogue.look.ascii)
        if picture is not None:
            line.show(picture)
        line.set_class(picture is not None, "filled")


def asked_line(asked: tuple[AskedKey, ...]) -> str:
    """Say what is still to be answered, the first of much, and by which key."""
    if not asked:
        return ""
    names = ", ".join(key_label(one.key) for one in asked[:MOST_ASKED])
    if len(asked) > MOST_ASKED:
        names = say("status.asked_more", names=names, count=len(asked) - MOST_ASKED)
    return say("status.asked", names=names)


def source_text(steps: tuple[SourceStep, ...]) -> str:
    """Name the sources of the configuration; while there is none, say what came of each."""
    used, rest = sort_steps(steps)
    parts = [", ".join(used), *(say("status.source", name=one.name, text=one.text) for one in rest)]
    if steps and not is_configured(steps):
        parts.append(say("status.sources_none"))
    return "; ".join(filter(None, parts))


def full_state(seen: Seen) -> str:
    """Say how the node stands, and under which name the engine knows it."""
    if not seen.heard:
        return ""
    if not seen.status.engine:
        return say("status.state.forgetful" if seen.status.stateless else "status.state.alone")
    text = state_text(seen)
    return say("status.state.joined", state=text, name=seen.status.name) if seen.status.name else text


def what_is_lost(seen: Seen) -> str:
    """Say that a node without a disk for its settings forgets them, and what comes first then."""
    status = seen.status
    if not seen.heard or not status.stateless:
        return ""
    if status.installed_to:
        return f"{say('status.forgets')}\n{say('status.forgets.installed', disk=status.installed_to)}"
    place = "disk" if status.has_room else "no_disk"
    what = "joined" if status.engine else "alone"
    return f"{say('status.forgets')}\n{say(f'status.forgets.{what}_{place}')}"


def why_not(seen: Seen) -> str:
    """Say why the node is not joined or not up, and what to do; a step that fails has a screen of its own."""
    status = seen.status
    failing = failing_rung(seen.ladder)
    said: tuple[str, ...] = (status.reason,)
    if failing is None:
        if status.engine and status.state != NodeState.PENDING:
            # Without one nothing is in the way: the agent names a command, and the console has a screen.
            # What is to be done about a code stands beside it.
            said = (status.reason, status.ladder, status.hint)
        return "\n".join(sentence(text) for text in dict.fromkeys(said) if text)
    reason = "" if status.reason in failing.text else sentence(status.reason)
    why, hint, where = sentence(failing.text), sentence(failing.hint), ""
    if status.engine:
        where = say("status.where")
        why = say("status.cannot_reach" if status.state in MEMBERS else "status.cannot_join", why=why)
    return "\n".join(filter(None, (reason, why, hint, where)))


def failing_rung(ladder: Ladder) -> Rung | None:
    """Find the step that is in the way for good, and not only waited for."""
    return next((rung for rung in ladder if rung.state is StepState.FAILING), None)


def is_well(seen: Seen) -> bool:
    """Tell whether nothing has to be looked after: no notice, no step in the way, no state that is bad."""
    return not notices(seen.status) and failing_rung(seen.ladder) is None and seen.status.state not in BAD


def address_lines(addresses: tuple[str, ...], most: int) -> str:
    """List addresses, the first of many."""
    if not addresses:
        return say("status.no_address")
    lines = list(addresses[:most])
    if len(addresses) > most:
        lines.append(say("status.more_addresses", count=len(addresses) - most))
    return "\n".join(lines)


def notices(status: Status) -> tuple[Notice, ...]:
    """List all that is wrong: problems that come without a hint too."""
    told = {notice.text for notice in status.warnings}
    return (*status.warnings, *(Notice(problem) for problem in status.problems if problem not in told))


def warning_lines(seen: Seen) -> str:
    """List what somebody should look after, and what to do about each; why it has not joined stands above."""
    found = notices(seen.status)
    if not found:
        return say("status.healthy") if is_well(seen) else ""
    lines = [say("status.warnings")]
    for notice in found:
        lines.append(f"! {sentence(notice.text)}")
        if notice.hint:
            lines.append(f"  {sentence(notice.hint)}")
    return "\n".join(lines)


def filled(used: int, whole: int) -> str:
    """Draw and say how full something is."""
    text = say("status.used_of", used=size(used), size=size(whole))
    return f"{bar(used / whole if whole else 0.0)} {text}"
