"""The line of a TOML text at which a value stands."""

import re

from nodeagent.problems import Path

HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)
STEP = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def find_line(text: str, path: Path) -> int:
    """Return the number of the line that says a value, or else what is nearest around it; the first is 1."""
    lines = key_lines(text)
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return 1


def key_lines(text: str) -> dict[Path, int]:
    """Map the way to each key, table and table of an array to its line."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = HEADER.match(line)
        if header:
            table = _below_last(_steps(header[2]), counts)
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif key := KEY.match(line):
            steps = _steps(key[1])
            for length in range(1, len(steps) + 1):
                found.setdefault((*table, *steps[:length]), number)
    return found


def _steps(words: str) -> Path:
    return tuple(word.strip("\"'") for word in STEP.findall(words))


def _below_last(steps: Path, counts: dict[Path, int]) -> Path:
    """Put into a header's way the number of the array's last table wherever it passes through one."""
    way: Path = ()
    for place, step in enumerate(steps):
        way = (*way, step)
        if way in counts and place + 1 < len(steps):
            way = (*way, counts[way])
    return way
