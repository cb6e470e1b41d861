"""A table that is filled anew without losing its place, and that draws only what changed."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable


class Table(DataTable[str | Text]):
    """Rows by key; Enter or Space sends `Table.RowSelected`, if it `opens` something."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "select_cursor", "frame.choose", key_display="Enter")
    ]
    DEFAULT_CSS = """
    Table { height: auto; max-height: 100%; }
    """

    def __init__(self, *columns: str, id: str | None = None, opens: bool = True) -> None:
        super().__init__(id=id, cursor_type="row", show_row_labels=False, cell_padding=0)
        self._names = columns
        self._opens = opens
        self._rows_shown: dict[str, tuple[str, ...]] = {}
        self._widths: list[int] = []

    def on_mount(self) -> None:
        """Make the columns."""
        self._make_columns(())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Choose nothing where that would do nothing."""
        return action != "select_cursor" or self._opens

    @property
    def chosen(self) -> str | None:
        """The key of the row where the cursor is."""
        keys = list(self._rows_shown)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None

    def fill(self, rows: Mapping[str, Sequence[str]]) -> None:
        """Show these rows, by key, in their order."""
        fresh = {key: tuple(row) for key, row in rows.items()}
        if fresh == self._rows_shown:
            return
        if list(fresh) == list(self._rows_shown) and self._widths_for(fresh.values()) == self._widths:
            self._change(fresh)
        else:
            self._replace(fresh)
        self._rows_shown = fresh

    def _change(self, fresh: Mapping[str, tuple[str, ...]]) -> None:
        for key, row in fresh.items():
            for name, before, now in zip(self._names, self._rows_shown[key], row, strict=True):
                if before != now:
                    self.update_cell(key, name, Text(f"{now} "))

    def _replace(self, fresh: Mapping[str, tuple[str, ...]]) -> None:
        chosen = self.chosen
        self.clear(columns=True)
        self._make_columns(fresh.values())
        for key, row in fresh.items():
            self.add_row(*(Text(f"{cell} ") for cell in row), key=key)
        if chosen is not None and chosen in fresh:
            self.move_cursor(row=list(fresh).index(chosen))

    def _make_columns(self, rows: Collection[Sequence[str]]) -> None:
        # A table that finds its widths itself does so when it is idle, and keeps a head drawn before that.
        self._widths = self._widths_for(rows)
        for name, width in zip(self._names, self._widths, strict=True):
            self.add_column(Text(f"{name} "), key=name, width=width)

    def _widths_for(self, rows: Collection[Sequence[str]]) -> list[int]:
        columns = [(name, *(row[place] for row in rows)) for place, name in enumerate(self._names)]
        return [1 + max(map(cell_len, column)) for column in columns]
