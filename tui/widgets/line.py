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
            self.text = text
            self.update(text)
