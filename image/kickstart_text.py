"""A kickstart as text: its lines with every include in place, cut into commands and sections.

pykickstart's own reader knows no file names, loses lines after a section that an include leaves open, fetches
includes over the network and stops at the first stray quote; so the text is read here, and pykickstart is
asked about one command or one section header at a time.
"""

import difflib
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from image.config import Origin

SECTIONS = (
    "%addon",
    "%anaconda",
    "%certificate",
    "%onerror",
    "%packages",
    "%post",
    "%pre",
    "%pre-install",
    "%traceback",
)
"""Words that open a section; inside another section one of these means that %end was forgotten."""


class Problems:
    """Collects what is wrong, one line each, so that a user sees everything in one run."""

    def __init__(self) -> None:
        self._found: dict[tuple[Path, int, str], None] = {}

    def add(self, origin: Origin, wrong: str, allowed: str = "") -> None:
        """Remember one problem: what is wrong at `origin`, and what would be right."""
        text = " ".join(f"{wrong}; {allowed}".split()) if allowed else " ".join(wrong.split())
        self._found[origin.file, origin.line, text] = None

    def add_unknown(self, origin: Origin, kind: str, word: str, allowed: Iterable[str]) -> None:
        """Remember a word that is none of those allowed (`--a=B` allows `--a`), and suggest the nearest."""
        choices = tuple(allowed)
        listed = ", ".join(choices) or "none"
        self.add(origin, f"{kind} {word} is not honoured{suggest(word, choices)}", f"allowed: {listed}")

    def lines(self) -> list[str]:
        """Return `FILE:LINE: text` for each problem, in order; `FILE: text` where no line is to blame."""
        return [
            f"{file}:{line}: {text}" if line else f"{file}: {text}"
            for file, line, text in sorted(self._found)
        ]


@dataclass(frozen=True)
class Line:
    """One line of text, without its end, and where it stands."""

    origin: Origin
    text: str


@dataclass(frozen=True)
class Command:
    """One command outside sections, split into words as a shell would."""

    origin: Origin
    words: tuple[str, ...]


@dataclass
class Section:
    """One section: the words of its header (with the name), and its body."""

    origin: Origin
    words: tuple[str, ...]
    body: list[Line] = field(default_factory=list)


def read_items(path: Path, problems: Problems) -> Iterator[Command | Section]:
    """Yield the commands and complete sections of a kickstart and all it includes, in order."""
    section: Section | None = None
    for line in _read_lines(display_path(path), problems, ()):
        first = line.text.split(maxsplit=1)[0] if line.text.strip() else ""
        if section is None:
            item = _read_item(line, first, problems)
            if isinstance(item, Section):
                section = item
            elif item is not None:
                yield item
        elif first == "%end":
            _check_same_file(section, line, problems)
            yield section
            section = None
        elif first in SECTIONS:
            _report_open(section, problems)
            section = _open_section(line, problems)
        else:
            section.body.append(line)
    if section is not None:
        _report_open(section, problems)


def split_words(line: Line, problems: Problems) -> tuple[str, ...] | None:
    """Split a line as a shell would, without its comment; None, and a problem, if its quotes do not match."""
    try:
        words = shlex.split(line.text, comments=True)
    except ValueError:
        problems.add(
            line.origin,
            "quotes do not match, or the line ends in a backslash",
            "a command stands on one line",
        )
        return None
    if _comment_cuts_a_word(line.text, words):
        problems.add(
            line.origin, "a # inside a word starts a comment", "quote the word, or put a space before the #"
        )
    return tuple(words)


def suggest(word: str, choices: Iterable[str]) -> str:
    """Return a question that names the choice a misspelt or shortened word may stand for, or nothing."""
    names = [choice.partition("=")[0] for choice in choices]
    longer = [name for name in names if name.startswith(word)]
    nearest = longer or difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def display_path(path: Path) -> Path:
    """Return a path as a user in the working directory would type it."""
    normal = Path(os.path.normpath(path))
    return (
        normal.relative_to(Path.cwd())
        if normal.is_absolute() and normal.is_relative_to(Path.cwd())
        else normal
    )


def _read_item(line: Line, first: str, problems: Problems) -> Command | Section | None:
    if first == "%end":
        problems.add(line.origin, "%end without a section", "it closes %packages, %post or %addon")
        return None
    if first == "%ksappend":
        problems.add(line.origin, "%ksappend is not honoured", "use %include with a local file")
        return None
    if first.startswith("%"):
        return _open_section(line, problems)
    words = split_words(line, problems)
    return Command(line.origin, words) if words else None


def _open_section(line: Line, problems: Problems) -> Section:
    """Open a section even when its header is wrong, so that its body is not taken for commands."""
    return Section(line.origin, split_words(line, problems) or ())


def _report_open(section: Section, problems: Problems) -> None:
    name = section.words[0] if section.words else "the section"
    problems.add(
        section.origin, f"{name} is not closed", "a section ends with %end, in the file it begins in"
    )


def _check_same_file(section: Section, end: Line, problems: Problems) -> None:
    if end.origin.file != section.origin.file:
        _report_open(section, problems)


def _comment_cuts_a_word(text: str, words: list[str]) -> bool:
    """Tell whether the # that ends `words` stands right after a letter: shlex cuts `pass#word` there."""
    for index, letter in enumerate(text):
        if letter != "#" or index == 0 or text[index - 1].isspace():
            continue
        try:
            if shlex.split(text[:index]) == words:
                return True
        except ValueError:
            continue
    return False


def _read_lines(path: Path, problems: Problems, including: tuple[Path, ...]) -> Iterator[Line]:
    """Yield the lines of a file, with those of an included file in the place of its %include."""
    for number, text in enumerate(_read_text(path, problems), start=1):
        line = Line(Origin(path, number), text)
        if text.split(maxsplit=1)[:1] != ["%include"]:
            yield line
            continue
        included = _find_included(line, problems)
        if included is None:
            continue
        above = (*including, path.resolve())
        if included.resolve() in above:
            problems.add(
                line.origin, f"{included} includes itself", "a file may not be included from within itself"
            )
        else:
            yield from _read_lines(included, problems, above)


def _find_included(line: Line, problems: Problems) -> Path | None:
    """Return the file an %include names, relative to the file it stands in."""
    words = split_words(line, problems)
    if words is None:
        return None
    if len(words) != 2:
        problems.add(line.origin, "%include takes one file", "%include FILE")
        return None
    if "://" in words[1]:
        problems.add(line.origin, f"%include {words[1]} is not honoured", "only local files are included")
        return None
    included = display_path(line.origin.file.parent / words[1])
    if not included.is_file():
        what = "is not a file" if included.exists() else "does not exist"
        problems.add(
            line.origin,
            f"included file {included} {what}",
            "the path is relative to the file that includes it",
        )
        return None
    return included


def _read_text(path: Path, problems: Problems) -> list[str]:
    """Return a file's lines, without their ends; empty, and a problem, when it is not readable text."""
    nowhere = Origin(path, 0)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        problems.add(nowhere, "there is no such file", "a kickstart file is needed")
        return []
    except OSError as error:
        problems.add(nowhere, f"cannot be read: {error.strerror}", "a kickstart file is needed")
        return []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _report_binary(path, content, error.start, problems)
    if "\0" in text:
        return _report_binary(path, content, content.index(b"\0"), problems)
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _report_binary(path: Path, content: bytes, offset: int, problems: Problems) -> list[str]:
    line = content.count(b"\n", 0, offset) + 1
    problems.add(Origin(path, line), "this is not text", "a kickstart is UTF-8 text")
    return []
