"""A form in a box, which stays open until its values are right or the person gives up."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from nodelib.bus import ConfigView
from nodelib.errors import InvalidInput, VirtnodeError
from tui.dialogs.dialog import Dialog
from tui.texts import say, sentence
from tui.widgets.fields import Field
from tui.widgets.form import Form
from tui.widgets.line import Line
from tui.widgets.press import Press

Check: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]
"""Judges the values: an InvalidInput is shown at the fields that it names, another error above them."""


async def take_all(values: Mapping[str, str]) -> None:
    """Take whatever was typed."""


class EditDialog(Dialog[dict[str, str]]):
    """Gives the values once `check` has let them pass."""

    ENTER = "frame.next"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "app.focus_previous", show=False),
        Binding("down", "app.focus_next", show=False),
    ]
    DEFAULT_CSS = """
    EditDialog #trouble { display: none; }
    EditDialog #trouble.filled { display: block; margin-bottom: 1; }
    """

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        check: Check = take_all,
        *,
        text: str = "",
        save: str = "",
        view: ConfigView | None = None,
    ) -> None:
        super().__init__(title)
        self._fields = fields
        self._check = check
        self._text = text
        self._save_label = save or say("dialog.save")
        self._view = view

    def body(self) -> ComposeResult:
        """Give what there is to know, what is wrong with the whole, and the fields."""
        if self._text:
            yield Line(self._text, classes="hint")
        yield Line(id="trouble", classes="error")
        yield Form(*self._fields)

    def buttons(self) -> ComposeResult:
        """Cancel and save."""
        yield Press(say("dialog.cancel"), "no")
        yield Press(self._save_label, "yes")

    def on_mount(self) -> None:
        """Close what the engine decides, and begin at the first field."""
        if self._view is not None:
            self.query_one(Form).manage(self._view)
        self._focus_field(next((field for field in self._fields if not field.managed), None))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes to the next field."""
        event.stop()
        self.focus_next()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Give up, or have the values judged."""
        if event.name == "no":
            self.dismiss(None)
        else:
            self.run_worker(self._save(), exclusive=True)

    async def _save(self) -> None:
        values = self.query_one(Form).values
        self._tell("")
        try:
            await self._check(values)
        except InvalidInput as error:
            self._show_problems(error)
        except VirtnodeError as error:
            self.query_one(Form).clear_errors()
            self._tell("\n".join(sentence(text) for text in (error.message, error.hint) if text))
        else:
            # The help may lie over it by now, or the question about a change that waits.
            self.give(values)

    def _show_problems(self, error: InvalidInput) -> None:
        left = self.query_one(Form).place_errors(error)
        named = {problem.partition(": ")[0].partition("[")[0] for problem in error.problems}
        self._tell("\n".join(sentence(problem) for problem in left))
        if not left:
            self._focus_field(next((field for field in self._fields if field.key in named), None))

    def _tell(self, text: str) -> None:
        line = self.query_one("#trouble", Line)
        line.show(text)
        line.set_class(bool(text), "filled")
        if text:
            self.query_one(".body").scroll_home(animate=False)

    def _focus_field(self, field: Field | None) -> None:
        if field is not None:
            first = next((widget for widget in field.query("*") if widget.focusable), None)
            if first is not None:
                first.focus()
