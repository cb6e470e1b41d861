"""What is wrong with a document: where in it, and what would be right."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

WORD = re.compile(r"[A-Za-z0-9_-]+")
Path = tuple[str | int, ...]
"""The way to a value: keys, and numbers of items."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and the place in the document that a person must look at."""

    path: Path
    text: str

    @property
    def line(self) -> str:
        """The problem in one line, without the place in a file."""
        return f"{dotted(self.path)}: {self.text}" if self.path else self.text


def dotted(path: Sequence[str | int]) -> str:
    """Write a way as a person does: `network.nic[0].ipv4`; a key that is no word is quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if WORD.fullmatch(step) else json.dumps(step)
            text += f".{word}" if text else word
    return text
