"""A form of a settings screen: filled without losing what was typed, saved as a change of what differs."""

from collections.abc import Callable, Mapping

from textual.widget import Widget

from nodelib.errors import InvalidInput
from tui.dialogue import Dialogue
from tui.texts import say
from tui.widgets.form import Form, make_patch


class SettingsForm(Form):
    """Remembers what it was filled with."""

    DEFAULT_CSS = """
    SettingsForm .hint { margin-left: 18; }
    """

    def __init__(self, *children: Widget) -> None:
        super().__init__(*children)
        self._filled: dict[str, str] = {}

    def fill(self, values: Mapping[str, str]) -> None:
        """Show what is in force, but where a person has typed something else."""
        for key, value in values.items():
            field = self.fields[key]
            if field.value in (self._filled.get(key, field.value), value):
                field.value = value
        self._filled |= values

    @property
    def changed(self) -> dict[str, str]:
        """What a person has changed, by key."""
        return {key: value for key, value in self.values.items() if value != self._filled.get(key, "")}

    async def save(
        self, dialogue: Dialogue, convert: Callable[[str, str], object] = lambda key, value: value
    ) -> bool:
        """Apply what was changed; objections are shown at their fields. False where nothing was applied.

        `convert` makes a key's value of the text, and raises InvalidInput.
        """
        self.clear_errors()
        changed = self.changed
        if not changed:
            await dialogue.tell(say("dialog.preview_none"))
            return False
        try:
            patch = make_patch({key: convert(key, value) for key, value in changed.items()})
            if not await dialogue.apply(patch):
                return False
        except InvalidInput as error:
            left = self.place_errors(error)
            if left:
                raise InvalidInput(list(left), error.hint) from error
            return False
        self._filled |= changed
        return True
