"""A list to choose from, which typing makes shorter: for time zones as for actions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui.dialogs.dialog import Dialog
from tui.texts import say
from tui.widgets.fields import TextField
from tui.widgets.press import Press

FEW = 8
"""Entries that need no filter."""
MOST = 100
"""Entries that are laid out at once: a keyboard reaches no more without typing."""


@dataclass(frozen=True)
class Choice:
    """One entry: what choosing it gives, and how it reads."""

    value: str
    text: str


class ChoiceDialog(Dialog[str]):
    """Gives the value that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    ChoiceDialog OptionList { height: auto; max-height: 12; border: none; padding: 0; }
    ChoiceDialog OptionList:focus { border: none; }
    """

    def __init__(self, title: str, choices: Sequence[Choice], current: str = "") -> None:
        super().__init__(title)
        self._choices = choices
        self._current = current
        self._long = len(choices) > FEW

    def body(self) -> ComposeResult:
        """Give the filter and the list."""
        if self._long:
            yield TextField("filter", say("dialog.filter"))
        yield OptionList(markup=False)

    def buttons(self) -> ComposeResult:
        """Cancel alone: Enter chooses."""
        yield Press(say("dialog.cancel"), "no")

    def on_mount(self) -> None:
        """Show all of it, at what is chosen now."""
        self.query_one(OptionList).can_focus = not self._long
        self._fill("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what matches."""
        event.stop()
        self._fill(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Choose what is highlighted."""
        event.stop()
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._take(options.get_option_at_index(options.highlighted))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose what was clicked."""
        self._take(event.option)

    def on_press_pressed(self) -> None:
        """Give up."""
        self.dismiss(None)

    def action_move(self, step: int) -> None:
        """Move the highlight, whatever has the focus."""
        options = self.query_one(OptionList)
        if options.option_count:
            place = (options.highlighted or 0) + step
            options.highlighted = min(max(place, 0), options.option_count - 1)

    def _take(self, option: Option) -> None:
        if option.id is not None:
            self.dismiss(self._choices[int(option.id)].value)

    def _fill(self, typed: str) -> None:
        words = typed.lower().split()
        found = [
            (number, choice)
            for number, choice in enumerate(self._choices)
            if all(word in choice.text.lower() for word in words)
        ]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(choice.text, id=str(number)) for number, choice in found[:MOST]])
        if not found:
            options.add_option(Option(say("dialog.nothing_matches"), disabled=True))
        elif len(found) > MOST:
            options.add_option(Option(say("dialog.more", count=len(found) - MOST), disabled=True))
        values = [choice.value for _, choice in found[:MOST]]
        options.highlighted = (
            (values.index(self._current) if self._current in values else 0) if found else None
        )
