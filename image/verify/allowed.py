"""The journal lines that a sound node may write in a virtual machine."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from image.verify.report import JournalLine


@dataclass(frozen=True)
class AllowedLine:
    """A kind of line, by patterns for the whole of its source and its message, and why it may be there."""

    source: re.Pattern[str]
    message: re.Pattern[str]
    reason: str
    emulated: bool = False
    """It may be there only where the processor is emulated."""

    def matches(self, line: JournalLine) -> bool:
        """Tell whether a line is of this kind."""
        return bool(self.source.fullmatch(line.source) and self.message.fullmatch(line.message))


def load_allowed_lines(*, emulated: bool = False) -> tuple[AllowedLine, ...]:
    """Load the list that comes with the program, for a processor that is emulated or one that is not."""
    text = (resources.files(__package__) / "allowed.toml").read_text()
    lines = (
        AllowedLine(
            source=re.compile(line["source"]),
            message=re.compile(line["message"], re.DOTALL),
            reason=line["reason"],
            emulated=line.get("emulated", False),
        )
        for line in tomllib.loads(text)["line"]
    )
    return tuple(line for line in lines if emulated or not line.emulated)


def unexpected_lines(lines: Iterable[JournalLine], allowed: Iterable[AllowedLine]) -> tuple[JournalLine, ...]:
    """Return the lines that no entry allows."""
    kinds = tuple(allowed)
    return tuple(line for line in lines if not any(kind.matches(line) for kind in kinds))
