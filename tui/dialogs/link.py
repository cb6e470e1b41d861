"""The form of a link: an address that is typed is meant to be its own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from nodelib.bus import ConfigView
from tui.dialogs.editing import EditDialog
from tui.links import METHODS, STATIC
from tui.widgets.fields import Field
from tui.widgets.form import Form


class LinkDialog(EditDialog):
    """Switches to static where an address is typed, and back where it is deleted again."""

    def __init__(
        self,
        title: str,
        fields: Sequence[Field],
        check: Callable[[Mapping[str, str]], Awaitable[None]],
        *,
        save: str,
        view: ConfigView | None = None,
    ) -> None:
        super().__init__(title, fields, check, save=save, view=view)
        self._before: dict[str, str] = {}
        """What was chosen before an address was typed, by family."""

    def on_field_changed(self, event: Field.Changed) -> None:
        """Choose above the address what is meant by it, where it is seen."""
        family = event.field.key
        if family not in METHODS:
            return
        method = self.query_one(Form).fields[f"{family}_method"]
        if event.field.value.strip():
            if method.value != STATIC:
                self._before[family] = method.value
                method.value = STATIC
        elif family in self._before:
            method.value = self._before.pop(family)
