"""A table that is filled anew without losing its place, and that draws only what changed."""

from collections.abc import Mapping, Sequence

from rich.text import Text
from textual.widgets import DataTable


class Table(DataTable[str | Text]):
    """Rows by key; Enter sends `Table.RowSelected` with `event.row_key.value`."""

    DEFAULT_CSS = """
    Table { height: auto; max-height: 100%; }
    """

    def __init__(self, *columns: str, id: str | None = None) -> None:
        super().__init__(id=id, cursor_type="row", show_row_labels=False, cell_padding=0)
        self._names = columns
        self._rows_shown: dict[str, tuple[str, ...]] = {}

    def on_mount(self) -> None:
        """Make the columns."""
        self._make_columns()

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
        if list(fresh) == list(self._rows_shown):
            self._change(fresh)
        else:
            self._replace(fresh)
        self._rows_shown = fresh

    def _change(self, fresh: Mapping[str, tuple[str, ...]]) -> None:
        for key, row in fresh.items():
            for name, before, now in zip(self._names, self._rows_shown[key], row, strict=True):
                if before != now:
                    self.update_cell(key, name, Text(f"{now} "), update_width=True)

    def _replace(self, fresh: Mapping[str, tuple[str, ...]]) -> None:
        chosen = self.chosen
        self.clear(columns=True)
        self._make_columns()
        for key, row in fresh.items():
            self.add_row(*(Text(f"{cell} ") for cell in row), key=key)
        if chosen is not None and chosen in fresh:
            self.move_cursor(row=list(fresh).index(chosen))

    def _make_columns(self) -> None:
        for name in self._names:
            self.add_column(Text(f"{name} "), key=name)
