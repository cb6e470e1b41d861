"""Finding any action by its name: what each screen does, and what the frame does."""

from collections.abc import Sequence

from textual.binding import Binding

from tui.dialogs.choice import Choice, ChoiceDialog
from tui.page import Page
from tui.screen_table import SCREENS, digit, load_page
from tui.texts import ENGLISH, say


class Palette(ChoiceDialog):
    """Gives a screen's key, a blank and an action; either may be missing.

    It is there at once. What a screen does is added when the screen's module is loaded.
    """

    def __init__(self, others: Sequence[Choice]) -> None:
        super().__init__(say("dialog.palette"), [*map(opening, SCREENS), *others], long=True)

    def on_mount(self) -> None:
        """Add what the screens do."""
        self.run_worker(self._load())

    async def _load(self) -> None:
        for key in SCREENS:
            self.extend(page_choices(await load_page(key)))


def opening(key: str) -> Choice:
    """Offer to open a screen."""
    return Choice(key, say("frame.open_page", title=say(f"{key}.title")), digit(key))


def page_choices(page: type[Page]) -> list[Choice]:
    """Offer what a screen does: by a key, by a button or in a field."""
    choices = []
    for binding in page.BINDINGS:
        if isinstance(binding, Binding) and binding.description:
            keys = f"{digit(page.KEY)} {binding.key_display or binding.key}"
            choices.append(page_choice(page.KEY, binding.action, binding.description, keys))
    return choices + [page_choice(page.KEY, action, text) for action, text in page.DEEDS]


def page_choice(key: str, action: str, text: str, keys: str = "") -> Choice:
    """Offer one of a screen's actions, which can be found by other words too."""
    return Choice(f"{key} {action}", f"{say(f'{key}.title')}: {say(text)}", keys, other_words(text))


def frame_choice(action: str, text: str, keys: str = "") -> Choice:
    """Offer one of the frame's actions."""
    return Choice(f" {action}", say(text), keys, other_words(text))


def other_words(text: str) -> str:
    """Give the words by which people may look for a text that has none of them."""
    return ENGLISH.get(f"find.{text}", "")
