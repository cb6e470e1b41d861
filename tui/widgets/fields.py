"""Fields of a form: a label, a value, below it what is allowed, or what is wrong with it."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input

from tui.texts import say, sentence
from tui.widgets.line import Line

LABEL = 18


class Field(Widget):
    """What all fields are; `name` is the dotted key of the configuration, or another word."""

    DEFAULT_CSS = f"""
    Field {{ height: auto; width: 100%; layout: vertical; }}
    Field > Horizontal {{ height: 1; width: 100%; }}
    Field .label {{ width: {LABEL}; height: 1; }}
    Field:focus-within .label {{ text-style: bold; }}
    Field > .note {{ margin-left: {LABEL}; width: 1fr; height: auto; color: $text-muted; display: none; }}
    Field > .note.filled {{ display: block; }}
    Field .bracket {{ width: 1; height: 1; }}
    Field > .note.error {{ color: $text-error; text-style: bold; }}
    """

    class Changed(Message):
        """A person changed a field's value."""

        def __init__(self, field: "Field") -> None:
            super().__init__()
            self.field = field

        @property
        def control(self) -> "Field":
            """The field."""
            return self.field

    def __init__(self, name: str, label: str, *, allowed: str = "") -> None:
        super().__init__(name=name)
        self._label = label
        self._allowed = allowed
        self._managed = False

    def compose(self) -> ComposeResult:
        """Lay out label, value, note."""
        with Horizontal():
            yield Line(self._label, classes="label")
            yield from self.entry()
        yield Line(self._allowed, classes="note filled" if self._allowed else "note")

    def entry(self) -> ComposeResult:
        """Give what the value is typed or chosen in."""
        yield from ()

    @property
    def key(self) -> str:
        """The field's name."""
        return self.name or ""

    @property
    def value(self) -> str:
        """What was typed or chosen."""
        raise NotImplementedError

    @value.setter
    def value(self, value: str) -> None:
        raise NotImplementedError

    @property
    def managed(self) -> bool:
        """The engine decides it: people at the node see it and do not change it."""
        return self._managed

    @managed.setter
    def managed(self, managed: bool) -> None:
        self._managed = managed
        self.disabled = managed
        self._note(say("field.managed") if managed else self._allowed, error=False)

    def show_error(self, text: str) -> None:
        """Say what is wrong with the value, where it stands."""
        self._note(f"! {sentence(text)}", error=True)

    def clear_error(self) -> None:
        """Say again what is allowed."""
        self.managed = self._managed

    def _note(self, text: str, *, error: bool) -> None:
        note = self.query_one(".note", Line)
        note.show(text)
        note.set_class(bool(text), "filled")
        note.set_class(error, "error")


class TextField(Field):
    """A line of text."""

    DEFAULT_CSS = """
    TextField Input { width: 1fr; background: $boost; }
    TextField Input:focus { background: $boost; }
    """
    SECRET: ClassVar[bool] = False

    def __init__(
        self, name: str, label: str, value: str = "", *, allowed: str = "", longest: int = 0
    ) -> None:
        super().__init__(name, label, allowed=allowed)
        self._first = value
        self._longest = longest

    def entry(self) -> ComposeResult:
        """Give the line between brackets, which show where it is without colour."""
        yield Line("[", classes="bracket")
        entry = Input(
            self._first,
            password=self.SECRET,
            compact=True,
            select_on_focus=False,
            max_length=self._longest,
        )
        entry.cursor_blink = False
        yield entry
        yield Line("]", classes="bracket")

    @property
    def value(self) -> str:
        """What was typed."""
        found = self.query(Input)
        return found.first().value if found else self._first

    @value.setter
    def value(self, value: str) -> None:
        self._first = value
        for entry in self.query(Input):
            entry.value = value

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell it, unless the program itself changed it."""
        if event.value != self._first:
            self._first = event.value
            self.clear_error()
            self.post_message(self.Changed(self))


class SecretField(TextField):
    """A line that is not shown while it is typed."""

    SECRET = True


class ChoiceField(Field):
    """One of a few values or of many: Enter opens the list."""

    DEFAULT_CSS = """
    ChoiceField .value { width: 1fr; height: 1; }
    """

    def __init__(
        self, name: str, label: str, choices: Sequence[tuple[str, str]], value: str = "", *, allowed: str = ""
    ) -> None:
        super().__init__(name, label, allowed=allowed)
        self._choices = tuple(choices)
        self._value = value

    def entry(self) -> ComposeResult:
        """Give what is chosen now."""
        yield Opener(self._shown(), classes="value")

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """Values and how they read."""
        return self._choices

    @choices.setter
    def choices(self, choices: Sequence[tuple[str, str]]) -> None:
        self._choices = tuple(choices)
        self.value = self._value

    @property
    def value(self) -> str:
        """What is chosen."""
        return self._value

    @value.setter
    def value(self, value: str) -> None:
        self._value = value
        for opener in self.query(Opener):
            opener.show(self._shown())

    def on_opener_opened(self, event: "Opener.Opened") -> None:
        """Let another be chosen, once it is known what there is."""
        event.stop()
        if self._choices:
            self.app.run_worker(self._choose(), exclusive=False)

    async def _choose(self) -> None:
        # The list is itself made of fields.
        from tui.dialogs.choice import Choice, ChoiceDialog

        choices = [Choice(value, text) for value, text in self._choices]
        chosen = await self.app.push_screen_wait(ChoiceDialog(self._label, choices, self._value))
        if chosen is not None and chosen != self._value:
            self.value = chosen
            self.post_message(self.Changed(self))

    def _shown(self) -> str:
        return f"< {dict(self._choices).get(self._value, self._value)} >"


class SwitchField(Field):
    """Yes or no; its value is `true` or `false`."""

    DEFAULT_CSS = """
    SwitchField .value { width: 1fr; height: 1; }
    """

    def __init__(self, name: str, label: str, on: bool = False, *, allowed: str = "") -> None:
        super().__init__(name, label, allowed=allowed)
        self._on = on

    def entry(self) -> ComposeResult:
        """Give a box with a cross or without."""
        yield Switch(self._shown(), classes="value")

    @property
    def on(self) -> bool:
        """It is switched on."""
        return self._on

    @property
    def value(self) -> str:
        """`true` or `false`."""
        return "true" if self._on else "false"

    @value.setter
    def value(self, value: str) -> None:
        self._on = value == "true"
        for opener in self.query(Opener):
            opener.show(self._shown())

    def on_opener_opened(self, event: "Opener.Opened") -> None:
        """Switch."""
        event.stop()
        self.value = "false" if self._on else "true"
        self.post_message(self.Changed(self))

    def _shown(self) -> str:
        return f"[{'x' if self._on else ' '}] {say('field.on' if self._on else 'field.off')}"


class Opener(Line, can_focus=True):
    """A value that Enter or Space opens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "frame.choose", key_display="Enter")
    ]
    DEFAULT_CSS = """
    Opener { height: 1; }
    Opener:focus { text-style: reverse; }
    """

    class Opened(Message):
        """It was opened."""

    def action_open(self) -> None:
        """Open it."""
        self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Open as Enter does."""
        event.stop()
        self.action_open()


class Switch(Opener, can_focus=True, inherit_bindings=False):
    """A value that Enter or Space switches."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "frame.switch", key_display="Space")
    ]
