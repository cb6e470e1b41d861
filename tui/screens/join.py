"""The join screen: the engine to join, and the ladder that says how far it has come and why not further."""

import textwrap
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from nodelib.bus import CONFIG_SHOW, JOIN, LEAVE, JoinRequest
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.ladder import Ladder, Step, StepState
from nodelib.link import Nothing
from tui.dialogs.approval import show_approval
from tui.page import Page, deed
from tui.seen import Seen
from tui.texts import say, sentence
from tui.widgets.fields import SecretField, TextField
from tui.widgets.form import Form
from tui.widgets.line import Line
from tui.widgets.press import Press

NAME = 13
"""Columns of a step's name."""
NARROWEST = 40
STYLES = {StepState.OK: "$text-success", StepState.FAILING: "bold $text-error", StepState.WAITING: "dim"}


class JoinPage(Page):
    """Address, pin, token; Join and Leave; the ladder."""

    KEY = "join"
    SETTINGS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "code", "status.code_key", show=False),
        Binding("l", "leave", "join.leave_key"),
    ]
    DEFAULT_CSS = """
    JoinPage .row { height: 1; margin-bottom: 1; }
    """

    DEEDS = (
        ("join", "join.join"),
        ("edit('engine.address')", "join.address"),
        ("edit('engine.ca')", "join.ca"),
        ("edit('engine.token')", "join.token"),
    )

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Form(
            TextField("engine.address", say("join.address"), allowed=say("join.address_allowed")),
            TextField("engine.ca", say("join.ca"), allowed=say("join.ca_allowed")),
            SecretField("engine.token", say("join.token")),
        )
        with Horizontal(classes="row"):
            yield Press(say("join.join"), "join")
            yield Press(say("join.leave"), "leave")
        yield Line(id="ladder")

    def see(self, seen: Seen) -> None:
        """Show the ladder as it stands."""
        self._draw_ladder(seen)

    def on_resize(self) -> None:
        """Wrap the ladder anew."""
        self.take(self.seen)

    def _draw_ladder(self, seen: Seen) -> None:
        width = max(self.scrollable_content_region.width, NARROWEST)
        self.query_one("#ladder", Line).show(draw_ladder(seen.ladder, width, engine=seen.status.engine))

    async def load(self) -> None:
        """Show the engine that is set, unless somebody is typing another."""
        view = await self.ask(CONFIG_SHOW, Nothing())
        form = self.query_one(Form)
        form.manage(view)
        engine = view.document.get("engine", {})
        address, pins = self.query(TextField)[:2]
        if not address.value and not pins.value:
            address.value = str(engine.get("address", ""))
            pins.value = " ".join(engine.get("ca", ()))

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Join or leave."""
        if event.name == "leave":
            self.action_leave()
        else:
            self.action_join()

    def enter_does(self, field: Widget) -> str:
        """Say whether Enter joins or goes on."""
        return "join.join" if self._is_last(field) else "frame.next"

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field; from the last that is needed it joins, for a token is not."""
        event.stop()
        if self._is_last(event.input):
            self.action_join()
        else:
            self.screen.focus_next()

    def _is_last(self, field: Widget) -> bool:
        address, pin, token = self.query(TextField)
        is_enough = bool(address.value.strip() and pin.value.strip())
        return token in field.ancestors or (pin in field.ancestors and is_enough)

    @deed
    async def action_join(self) -> None:
        """Join what the form says; what is wrong with it is shown at its fields."""
        form = self.query_one(Form)
        form.clear_errors()
        given = form.values
        current = self.seen.status.engine
        if current and current != given["engine.address"]:
            text = say("join.other_text", engine=current)
            if not await self.dialogue.confirm(say("join.other_question"), text):
                return
        pins = tuple(given["engine.ca"].replace(",", " ").split())
        request = JoinRequest(given["engine.address"].strip(), pins, given["engine.token"].strip())
        try:
            await self.ask(JOIN, request)
        except VirtnodeError as error:
            self._place(error)
            return
        form.fields["engine.token"].value = ""
        # What is typed next is no address any more, but a key: of a screen, or of the code.
        self.query_one(Press).focus()
        await self.dialogue.refresh()

    @deed
    async def action_leave(self) -> None:
        """Leave the engine, once that is confirmed."""
        engine = self.seen.status.engine
        if not engine:
            await self.dialogue.tell(say("join.not_joined"))
            return
        question = say("join.leave_question", engine=engine)
        if await self.dialogue.confirm(question, say("join.leave_text"), yes=say("join.leave")):
            await self.ask(LEAVE, Nothing())
            for field in self.query(TextField):
                field.value = ""
            await self.dialogue.refresh()

    @deed
    async def action_code(self) -> None:
        """Show the approval code over the whole screen."""
        await show_approval(self.dialogue, self.seen.status)

    def _place(self, error: VirtnodeError) -> None:
        """Show what the agent says against the form; what is about no field is raised."""
        if error.code is not Code.INVALID:
            raise error
        problems = error if isinstance(error, InvalidInput) else InvalidInput([error.message], error.hint)
        left = self.query_one(Form).place_errors(problems)
        if left:
            raise InvalidInput(list(left), error.hint)


def draw_ladder(ladder: Ladder, width: int, *, engine: str) -> Content:
    """Draw a line a step: its state in a word, its name, what was found; below a failing one what to do."""
    if not ladder:
        return Content(say("join.nothing"))
    lines = []
    for rung in ladder:
        head = f"[{say(f'join.state.{rung.state}')}] {say(f'join.step.{rung.step}').ljust(NAME)} "
        indent = " " * len(head)
        # A step that waits for those before it has nothing of its own to say.
        text = "" if rung.state is StepState.WAITING and not rung.hint else sentence(rung.text)
        said = textwrap.fill(text, width, initial_indent=head, subsequent_indent=indent) if text else head
        lines.append(Content.styled(said, STYLES[rung.state]))
        if rung.hint and rung.state is not StepState.OK:
            # Without an engine the agent's hint is a command, and here is the form for it.
            asks_for_engine = not engine and rung.state is StepState.WAITING
            hint = say("join.how") if asks_for_engine else sentence(rung.hint)
            if rung.step is Step.APPROVAL and rung.state is StepState.WAITING:
                hint = say("join.approve", hint=hint)
            hint = textwrap.fill(hint, width, initial_indent=f"{indent}> ", subsequent_indent=f"{indent}  ")
            lines.append(Content.styled(hint, "bold"))
    return Content("\n").join(lines)
