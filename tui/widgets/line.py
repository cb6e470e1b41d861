"""Text that is drawn anew only if it is another one; nothing in it is markup."""

from textual.content import Content
from textual.widgets import Static


class Line(Static):
    """Some text."""

    DEFAULT_CSS = """
    Line { width: 100%; height: auto; }
    Line.hint { color: $text-muted; }
    Line.error { color: $text-error; text-style: bold; }
    Line.heading { text-style: bold; color: $text-primary; }
    """

    def __init__(
        self, text: str | Content = "", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(text, id=id, classes=classes, markup=False)
        self.text: str | Content = text

    def show(self, text: str | Content) -> None:
        """Show another text."""
        if text != self.text:
            fits = self._is_one_row(self.text) and self._is_one_row(text)
            self.text = text
            # To lay a screen out takes ten times as long as to draw a line of it.
            self.update(text, layout=not fits)

    def _is_one_row(self, text: str | Content) -> bool:
        """Tell whether a text takes one row of the room that this line has, whatever it says."""
        plain = text if isinstance(text, str) else text.plain
        if not plain or not plain.isascii() or "\n" in plain:
            return False
        width = self.styles.width
        return width is not None and not width.is_auto and len(plain) <= self.size.width
