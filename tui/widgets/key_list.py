"""A list of public keys: arrows move, Enter or Space tells which one was meant."""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets.option_list import Option

from tui.ssh_key import SshKey, parse_key
from tui.texts import say
from tui.widgets.marked_list import MarkedList


class KeyList(MarkedList):
    """Shows each key's type and comment, and below them its fingerprint."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "select", "frame.choose", key_display="Enter")
    ]
    DEFAULT_CSS = """
    KeyList, KeyList:focus { height: auto; max-height: 8; border: none; padding: 0; background: $boost; }
    """

    def __init__(self, *, id: str | None = None, marks: bool = False) -> None:
        super().__init__(id=id, markup=False)
        self.lines: tuple[str, ...] = ()
        self.marked: frozenset[str] = frozenset()
        self._marks = marks

    def fill(self, lines: Sequence[str]) -> None:
        """Show these keys."""
        if tuple(lines) != self.lines:
            self.lines = tuple(lines)
            self._draw()

    def toggle(self, line: str) -> None:
        """Put a mark at a key, or take it away."""
        self.marked = self.marked ^ {line}
        place = self.lines.index(line)
        self.replace_option_prompt_at_index(place, self._prompt(line))

    def _draw(self) -> None:
        place = self.highlighted or 0
        self.clear_options()
        self.add_options([Option(self._prompt(line)) for line in self.lines])
        self.highlighted = min(place, len(self.lines) - 1) if self.lines else None

    def _prompt(self, line: str) -> Content:
        text = describe_key(parse_key(line), line)
        if self._marks:
            text = f"[{'x' if line in self.marked else ' '}] {text}"
        return Content(text)


def describe_key(key: SshKey | None, line: str) -> str:
    """Say what a key is, on two lines; what cannot be read is shown as it is."""
    if key is None:
        return f"{say('security.key_unknown')}\n  {line}"
    return f"{key.kind} {key.comment or say('security.no_comment')}\n  {key.fingerprint}"
