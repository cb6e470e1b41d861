"""The last line of a screen or a dialog: the keys that work now."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from textual.binding import Binding
from textual.keys import key_to_character
from textual.screen import Screen
from textual.widgets import Input

from tui.texts import say
from tui.widgets.line import Line

FIRST, LAST = ("help",), ("back", "leave", "find", "decide")
"""Actions whose keys are shown however many others there are; `leave` closes a dialog."""
GAP = "  "
MORE = "..."


class Hint(NamedTuple):
    """A key and what it does."""

    key: str
    text: str

    def __str__(self) -> str:
        """Write it as it is shown."""
        return f"{self.key} {self.text}"


class Hints(NamedTuple):
    """What can be shown: `middle` is where some are left out for want of room, those at its end first."""

    first: Sequence[Hint] = ()
    middle: Sequence[Hint] = ()
    last: Sequence[Hint] = ()


class Footer(Line):
    """Shows as many keys as there is room for."""

    DEFAULT_CSS = """
    Footer { dock: bottom; height: 1; background: $panel; padding: 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._hints = Hints()

    def tell(self, hints: Hints) -> None:
        """Show these."""
        self._hints = hints
        self.show(write_hints(hints, self.size.width))

    def on_resize(self) -> None:
        """Show more or fewer of them."""
        self.tell(self._hints)


def write_hints(hints: Hints, width: int) -> str:
    """Write keys into a width: whole ones, and a mark where some are left out."""
    first, middle, last = map(list, hints)
    mark: list[str] = []
    while True:
        text = GAP.join(map(str, (*first, *middle, *mark, *last)))
        if len(text) <= width:
            return text
        if not (first or middle or last):
            return ""
        (middle or last or first).pop()
        mark = [MORE]


def wrap_hints(hints: Iterable[Hint], width: int) -> list[str]:
    """Write keys into as many lines as they take."""
    lines: list[str] = []
    for hint in hints:
        longer = f"{lines[-1]}{GAP}{hint}" if lines else ""
        if lines and len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(str(hint))
    return lines


def hint_of(binding: Binding) -> Hint:
    """Say what a key does."""
    return Hint(binding.key_display or binding.key.split(",")[0], say(binding.description))


def find_hints(screen: Screen[Any], others: Iterable[Binding] = ()) -> Hints:
    """Find the keys that work now: of `others`, of what has the focus, of what that stands in."""
    focused = screen.focused
    own: dict[str, Hint] = {}
    outer: dict[str, Hint] = {}
    for namespace, binding, enabled, _ in screen.active_bindings.values():
        if enabled and binding.show and binding.description:
            (own if namespace is focused else outer).setdefault(binding.action, hint_of(binding))
    for _, binding in screen.app._bindings:
        # What goes before all other keys works over a dialog too.
        works = binding.priority and screen.app.check_action(binding.action, ())
        if works and binding.show and not is_taken(binding, screen):
            outer.setdefault(binding.action, hint_of(binding))
    if isinstance(focused, Input):
        own |= field_hints(focused)
    others = [binding for binding in others if binding.show and not is_taken(binding, screen)]
    rest = [hint for action, hint in outer.items() if action not in (*FIRST, *LAST)]
    # A page may leave an engine: that is its own.
    last = [action for action in LAST if action not in {binding.action for binding in others}]
    return Hints(
        [outer[action] for action in FIRST if action in outer],
        # A page's keys are among the others, and of what the focus stands in if that is the page.
        list(dict.fromkeys([*map(hint_of, others), *own.values(), *rest])),
        [outer[action] for action in last if action in outer],
    )


def field_hints(field: Input) -> dict[str, Hint]:
    """Say what ends the typing in a field; what it stands in knows what Enter does there."""
    knowing = next((above for above in field.ancestors if hasattr(above, "enter_does")), None)
    enter = knowing.enter_does(field) if knowing is not None else ""
    hints = {"enter": Hint("Enter", say(enter))} if enter else {}
    return {**hints, "tab": Hint("Tab", say("frame.next"))}


def is_taken(binding: Binding, screen: Screen[Any]) -> bool:
    """Tell whether what has the focus takes a key for itself."""
    key = binding.key.split(",")[0]
    return screen.focused is not None and screen.focused.check_consume_key(key, key_to_character(key))
