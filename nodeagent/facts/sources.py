"""Where facts come from: small files below a root, and commands that print JSON."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from nodelib.errors import VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

COMMAND_TIMEOUT = 20.0
Command = Callable[[Sequence[str]], str]
"""Runs a command and returns what it printed; nothing where it failed."""


class CommandRunner:
    """Runs commands for what they print; a failure gives an empty text, and is in the journal once."""

    def __init__(self, timeout: float = COMMAND_TIMEOUT) -> None:
        self._timeout = timeout
        self._failures: dict[tuple[str, ...], str] = {}

    def __call__(self, argv: Sequence[str]) -> str:
        """Run a command, for as long as it may take."""
        words = tuple(argv)
        try:
            text = run(words, timeout=self._timeout).stdout
        except VirtnodeError as error:
            if self._failures.get(words) != error.message:
                logger.info("%s", error.message)
            self._failures[words] = error.message
            return ""
        self._failures.pop(words, None)
        return text


def read_text(path: Path) -> str:
    """Read a small file without the blanks around it; empty where there is none or it cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0 \t\n")
    except OSError:
        # The kernel answers some files with EINVAL while a link is down.
        return ""


def read_number(path: Path) -> int | None:
    """Read a file that holds one whole number; None where it does not."""
    try:
        return int(read_text(path))
    except ValueError:
        return None


def read_link_name(path: Path) -> str:
    """Return the last part of a symlink's target, empty where there is no link."""
    try:
        return path.readlink().name
    except OSError:
        return ""


def names_in(folder: Path) -> list[str]:
    """List a folder in order; one that is not there is empty."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def read_list(text: str) -> list[dict[str, object]]:
    """Read a JSON list of tables; anything else is an empty list."""
    try:
        document = json.loads(text) if text.strip() else []
    except ValueError:
        logger.info("a command printed what is no JSON")
        return []
    return tables(document)


def read_table(text: str) -> dict[str, object]:
    """Read a JSON table; anything else is an empty one."""
    found = read_list(f"[{text}]") if text.strip() else []
    return found[0] if found else {}


def tables(value: object) -> list[dict[str, object]]:
    """Keep what is a table in a list."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def text_of(table: dict[str, object], name: str) -> str:
    """Return a text of a table, without blanks around it; empty where it is none."""
    value = table.get(name)
    return value.strip() if isinstance(value, str) else ""


def number_of(table: dict[str, object], name: str) -> int:
    """Return a whole number of a table, which some tools write as text; 0 where it is none."""
    value = table.get(name)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
