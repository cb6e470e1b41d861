"""A file that changes the configuration: read into tables, and the agent's errors led back to its lines."""

import datetime
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nodeagent.problems import Path, Problem
from nodeagent.toml_lines import find_line
from nodelib.bus import PATCH_NAME
from nodelib.errors import InvalidInput

STEP = r'[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"'
PLACE = re.compile(rf"(?:{STEP})(?:\.(?:{STEP})|\[[0-9]+\])*(?=: )")
PLACE_STEP = re.compile(rf"\[([0-9]+)\]|({STEP})")


@dataclass(frozen=True)
class PatchFile:
    """The file's name, its text, and the tables in it."""

    name: str
    text: str
    patch: Mapping[str, object]

    def explain(self, error: InvalidInput) -> InvalidInput:
        """Name file and line where the agent could only say that something is wrong with the change."""
        return InvalidInput([self._placed(line) for line in error.problems], error.hint)

    def _placed(self, line: str) -> str:
        prefix = f"{PATCH_NAME}: "
        problem = line.removeprefix(prefix)
        place = PLACE.match(problem) if line.startswith(prefix) else None
        path = _read_place(place[0]) if place else ()
        # What follows from the file and the state together may be nowhere in the file.
        if not path or path[0] not in self.patch:
            return line
        return f"{self.name}:{find_line(self.text, path)}: {problem}"


def read_patch(name: str, text: str) -> PatchFile:
    """Read a file; raises InvalidInput with all that no configuration can hold, each with its line."""
    try:
        patch = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput([_syntax_line(name, str(error))], "see docs/node-toml.md") from error
    problems = sorted(_check_values(patch, ()), key=lambda one: find_line(text, one.path))
    if problems:
        lines = [f"{name}:{find_line(text, one.path)}: {one.line}" for one in problems]
        raise InvalidInput(lines, "see docs/node-toml.md")
    return PatchFile(name, text, patch)


def _check_values(value: object, path: Path) -> Iterator[Problem]:
    """Find what TOML knows and no key takes: dates and times, and numbers that are none."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _check_values(one, (*path, name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _check_values(one, (*path, number))
    elif isinstance(value, datetime.date | datetime.time):
        yield Problem(path, f"{value.isoformat()} is a date or a time; write text in quotes")
    elif isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"{value} is not a number")


def _syntax_line(name: str, message: str) -> str:
    what, _, where = message.partition(" (at line ")
    line = where.partition(",")[0]
    return f"{name}:{line if line.isdigit() else 1}: no TOML: {what}"


def _read_place(text: str) -> Path:
    return tuple(
        int(found[1]) if found[1] else json.loads(found[2]) if found[2].startswith('"') else found[2]
        for found in PLACE_STEP.finditer(text)
    )
