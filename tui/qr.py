"""The approval code as a QR code, as rich in content as there is room for."""

from dataclasses import dataclass

from textual.content import Content

QUIET = 2
"""Light modules around the code; readers ask for four and are content with two."""
HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
"""Character by whether the upper and the lower module are dark."""


@dataclass(frozen=True)
class QrCode:
    """Modules row by row, dark ones true, with the quiet zone around them."""

    modules: tuple[tuple[bool, ...], ...]

    @property
    def side(self) -> int:
        """Modules in a row."""
        return len(self.modules)


def make_qr(text: str, quiet: int = QUIET) -> QrCode:
    """Make a code of as few modules as possible."""
    # Most consoles never draw one, and it brings the standard library's HTTP and mail along.
    import segno

    made = segno.make(text, error="l", micro=False, boost_error=False)
    return QrCode(tuple(tuple(bool(dark) for dark in row) for row in made.matrix_iter(border=quiet)))


def approval_texts(code: str, fingerprint: str) -> tuple[str, ...]:
    """Give what a code can say, the richest first: code with fingerprint, or the code alone."""
    # Capital letters and digits take half the room.
    return (f"VIRTNODE:{code}:{fingerprint}".upper(), f"VIRTNODE:{code}".upper())


def fit_qr(texts: tuple[str, ...], columns: int, lines: int, *, ascii: bool) -> Content | None:
    """Draw the richest text that fits; None if none does."""
    for quiet in (QUIET, 1):
        for text in texts:
            qr = make_qr(text, quiet)
            width = qr.side * 2 if ascii else qr.side
            height = qr.side if ascii else (qr.side + 1) // 2
            if width <= columns and height <= lines:
                return draw_blocks(qr) if ascii else draw_halves(qr)
    return None


def draw_halves(qr: QrCode) -> Content:
    """Draw two modules a character, dark on light whatever the terminal's own colours are."""
    rows = [*qr.modules, *([(False,) * qr.side] if qr.side % 2 else [])]
    lines = [
        "".join(HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Content.styled("\n".join(lines), "black on white")


def draw_blocks(qr: QrCode) -> Content:
    """Draw a module as two blanks, light ones in reverse: `##` has gaps that a reader stumbles over."""
    lines = []
    for row in qr.modules:
        lines.append(Content("").join(Content.styled("  ", "" if dark else "reverse") for dark in row))
    return Content("\n").join(lines)
