"""What each of the ten screens is: a page in the frame's content area."""

import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from nodelib.link import Verb
from tui.seen import Seen

if TYPE_CHECKING:
    from tui.dialogue import Dialogue

Q = TypeVar("Q")
R = TypeVar("R")
P = TypeVar("P", bound="Page")


class Page(VerticalScroll, can_focus=False):
    """A page: made when it is first opened, told what is new while it is seen."""

    DEFAULT_CSS = """
    Page { padding: 0 1; height: 1fr; width: 1fr; }
    """
    KEY: ClassVar[str] = ""
    """Its name in `screen_table`; `KEY.title` is its text."""
    BINDINGS: ClassVar[list[BindingType]] = []
    """Keys of the page; a description is the key of a text. They work unless a field is typed in."""
    DEEDS: ClassVar[Sequence[tuple[str, str]]] = ()
    """What the page does without a key of its own, for whoever looks for it by name: action and text."""
    SETTINGS: ClassVar[bool] = False
    """It stands in the menu of what can be customised."""

    def __init__(self, dialogue: "Dialogue") -> None:
        super().__init__(id=self.KEY)
        self.dialogue = dialogue
        self.seen = Seen()
        self._laid_out = False

    @property
    def key_table(self) -> dict[str, Binding]:
        """The page's own keys and what each does."""
        bindings = [binding for binding in type(self).BINDINGS if isinstance(binding, Binding)]
        return {key: binding for binding in bindings for key in binding.key.split(",")}

    def see(self, seen: Seen) -> None:
        """Take what is known of the node: called when it changed, and each time the page is opened."""

    async def load(self) -> None:
        """Ask the node for what the page shows: each time it is opened, and after a change went back."""

    def enter_does(self, field: Widget) -> str:
        """Tell what Enter does in a field, as the key of a text."""
        return ""

    def action_edit(self, place: str) -> None:
        """Go to the field of a key, or to what has an id, once it is known what stands there."""
        self.do(self._edit(place))

    async def _edit(self, place: str) -> None:
        await self.load()
        for widget in self.query("*"):
            if place in (widget.id, widget.name):
                inner = next((part for part in widget.query("*") if part.focusable), widget)
                inner.focus()

    async def ask(self, verb: Verb[Q, R], request: Q) -> R:
        """Call the node; nothing waits but the deed that asks."""
        return await self.dialogue.ask(verb, request)

    @work(group="deed")
    async def do(self, deed: Coroutine[Any, Any, None]) -> None:
        """Do something that calls the node; what goes wrong is shown."""
        await self.dialogue.run(deed)

    def open(self, seen: Seen) -> None:
        """Begin to be seen: all that the page is made of is there now."""
        self._laid_out = True
        self.take(seen)
        self.do(self.load())

    def take(self, seen: Seen) -> None:
        """Keep what is known, and show it."""
        self.seen = seen
        # News may arrive while the page is still being laid out.
        if self._laid_out:
            self.see(seen)


def deed(method: Callable[[P], Coroutine[Any, Any, None]]) -> Callable[[P], None]:
    """Make an action of a method that calls the node: `@deed async def action_save(self)`."""

    @functools.wraps(method)
    def start(page: P) -> None:
        page.do(method(page))

    return start
