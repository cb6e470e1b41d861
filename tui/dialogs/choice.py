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
from tui.widgets.marked_list import MarkedList
from tui.widgets.press import Press

FEW = 8
"""Entries that need no filter."""
MOST = 100
"""Entries that are laid out at once: a keyboard reaches no more without typing."""
WIDTH = 68
"""Columns of an entry, beside border, padding and scroll bar."""


@dataclass(frozen=True)
class Choice:
    """One entry: what choosing it gives, and how it reads."""

    value: str
    text: str
    keys: str = ""
    """What does the same without the list, shown at its right."""
    words: str = ""
    """Other words by which it is found."""

    @property
    def line(self) -> str:
        """How it stands in the list."""
        return f"{self.text.ljust(WIDTH - len(self.keys) - 2)}  {self.keys}" if self.keys else self.text

    def matches(self, typed: str) -> bool:
        """Tell whether each word that was typed is in it; `hostname` is in `Host name`."""
        text = f"{self.text} {self.words}".lower()
        return all(word in text or word in text.replace(" ", "") for word in typed.lower().split())


class ChoiceDialog(Dialog[str]):
    """Gives the value that was chosen."""

    ENTER = "frame.choose"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("pagedown", "move(10)", show=False, priority=True),
        Binding("pageup", "move(-10)", show=False, priority=True),
        Binding("space", "take", "frame.choose", key_display="Enter"),
    ]
    DEFAULT_CSS = """
    ChoiceDialog OptionList { height: auto; max-height: 12; border: none; padding: 0; }
    ChoiceDialog OptionList:focus { border: none; }
    """

    def __init__(
        self, title: str, choices: Sequence[Choice], current: str = "", *, long: bool = False
    ) -> None:
        super().__init__(title)
        self._choices = list(choices)
        self._current = current
        self._typed = ""
        self._long = long or len(choices) > FEW

    def body(self) -> ComposeResult:
        """Give the filter and the list."""
        if self._long:
            yield TextField("filter", say("dialog.filter"))
        yield MarkedList(markup=False)

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
        self._typed = event.value
        self._fill(event.value)

    def extend(self, choices: Sequence[Choice]) -> None:
        """Offer more, below what there is; the mark stays where it is."""
        if not self.query(OptionList):
            return  # It is being taken down.
        options = self.query_one(OptionList)
        place = options.highlighted or 0
        self._choices.extend(choices)
        self._fill(self._typed)
        if place < options.option_count and not options.get_option_at_index(place).disabled:
            options.highlighted = place

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Choose what is highlighted."""
        event.stop()
        self.action_take()

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

    def action_take(self) -> None:
        """Choose what is highlighted."""
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            self._take(options.get_option_at_index(options.highlighted))

    def _take(self, option: Option) -> None:
        if option.id is not None:
            self.dismiss(self._choices[int(option.id)].value)

    def _fill(self, typed: str) -> None:
        found = [(number, choice) for number, choice in enumerate(self._choices) if choice.matches(typed)]
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(choice.line, id=str(number)) for number, choice in found[:MOST]])
        if not found:
            options.add_option(Option(say("dialog.nothing_matches"), disabled=True))
        elif len(found) > MOST:
            options.add_option(Option(say("dialog.more", count=len(found) - MOST), disabled=True))
        values = [choice.value for _, choice in found[:MOST]]
        options.highlighted = (
            (values.index(self._current) if self._current in values else 0) if found else None
        )
