"""Trim rules in lorax's template language: rendered, split and checked as a whole before any of them runs.

The language is that of lorax's LoraxTemplateRunner (Mako, then one command a line); we take a part of its
commands and refuse, with file and line, what it would only trip over when half of the tree is gone.
"""

import difflib
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mako.exceptions import MakoException
from mako.lexer import Lexer
from mako.lookup import TemplateLookup
from mako.parsetree import Expression, Text

from image.config import Origin
from nodelib.errors import InvalidInput

_MARK = re.compile("\x02([^\x03]*):([0-9]+)\x03")
_LEADING_MARKS = re.compile("(?:\\s|\x02[^\x03]*\x03)+")
_INNERMOST_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Rule:
    """One command of a template, its words expanded."""

    origin: Origin
    command: str
    arguments: tuple[str, ...]
    tolerant: bool = False
    """Written with a leading `-`: neither a failure nor a glob without a match is worth a word."""

    def __str__(self) -> str:
        return shlex.join((self.command, *self.arguments))


def load_template(path: Path, variables: Mapping[str, str]) -> tuple[Rule, ...]:
    """Render one template and check each line; InvalidInput lists every bad one as FILE:LINE: problem."""
    rules, problems = [], []
    for origin, line in _render(path, variables):
        try:
            rules.append(_parse_line(origin, line))
        except ValueError as error:
            problems.append(f"{origin}: {error}")
    if problems:
        raise InvalidInput(list(dict.fromkeys(problems)))
    return tuple(rules)


def expand_braces(word: str) -> list[str]:
    """Expand `{a,b}` as lorax does, innermost first; a word without a comma somewhere stays as it is."""
    if not all(character in word for character in "{,}"):
        return [word]
    match = _INNERMOST_BRACES.search(word)
    if match is None:
        raise ValueError(f"unbalanced braces in {word!r}")
    return [
        expanded
        for choice in match[1].split(",")
        for expanded in expand_braces(word[: match.start()] + choice + word[match.end() :])
    ]


class _MarkingLexer(Lexer):  # type: ignore[misc]  # Mako has no types
    """Writes file and line into the text it lexes, for a rendered line remembers neither."""

    def append_node(self, nodecls: type[Any], *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (Mako's signature)
        """Put a mark before each line of text and before each expression."""
        line = int(kwargs.get("lineno") or self.matched_lineno or 1)
        if nodecls is Text:
            pieces = args[0].split("\n")
            marked = "\n".join(self._mark(line + index) + piece for index, piece in enumerate(pieces))
            args = (marked, *args[1:])
        elif nodecls is Expression:
            super().append_node(Text, self._mark(line))
        super().append_node(nodecls, *args, **kwargs)

    def _mark(self, line: int) -> str:
        return f"\x02{self.filename}:{line}\x03"


def _render(path: Path, variables: Mapping[str, str]) -> list[tuple[Origin, str]]:
    path = path.absolute()
    if not path.is_file():
        raise InvalidInput([f"{path}: there is no such template"])
    # As in lorax: "/" lets an absolute path be looked up, the other folder an include by its bare name.
    lookup = TemplateLookup(
        directories=["/", str(path.parent)],
        lexer_cls=_MarkingLexer,
        strict_undefined=True,
        input_encoding="utf-8",
    )
    try:
        text = lookup.get_template(str(path)).render(**variables)
    except MakoException as error:
        raise InvalidInput([_describe_syntax_error(path, error)]) from error
    except NameError as error:
        known = ", ".join(sorted(variables))
        raise InvalidInput([f"{_find_name(path, error)}: {error}; a template here knows {known}"]) from error
    except Exception as error:  # a template holds Python of its author's, which may fail in any way
        raise InvalidInput([f"{path}: {type(error).__name__}: {error}"]) from error
    return [parsed for line in text.splitlines() if (parsed := _split_off_origin(line)) is not None]


def _split_off_origin(line: str) -> tuple[Origin, str] | None:
    text = _MARK.sub("", line).strip()
    if not text or text.startswith("#"):
        return None
    marks_before_text = _LEADING_MARKS.match(line)
    nearest = _MARK.findall(marks_before_text[0] if marks_before_text else line)[-1]
    return Origin(Path(nearest[0]), int(nearest[1])), text


def _describe_syntax_error(path: Path, error: MakoException) -> str:
    line = getattr(error, "lineno", None)
    filename = getattr(error, "filename", None) or path
    message = str(error).split(" in file ")[0].split(" at line: ")[0].strip()
    return f"{filename}:{line}: {message}" if line else f"{filename}: {message}"


def _find_name(path: Path, error: NameError) -> str:
    name = re.search(r"'([^']+)'", str(error))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if (
            name is not None
            and re.search(rf"\b{re.escape(name[1])}\b", line)
            and not line.lstrip().startswith("#")
        ):
            return f"{path}:{number}"
    return str(path)


def _parse_line(origin: Origin, line: str) -> Rule:
    words = [expanded for word in shlex.split(line) for expanded in expand_braces(word)]
    if not words or not words[0]:
        raise ValueError("a command is missing")
    command = words[0].removeprefix("-")
    arguments = tuple(words[1:])
    if command not in _CHECKS:
        close = difflib.get_close_matches(command, _CHECKS, n=1)
        suggestion = f", did you mean {close[0]!r}?" if close else ";"
        raise ValueError(f"unknown command {command!r}{suggestion} allowed are {', '.join(sorted(_CHECKS))}")
    if "#" in arguments:
        raise ValueError("a comment needs a line of its own: here '#' is one more argument")
    _CHECKS[command](arguments)
    return Rule(origin, command, arguments, tolerant=words[0].startswith("-"))


def _check_paths(paths: Sequence[str]) -> None:
    for path in paths:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not parts:
            raise ValueError(f"{path!r} is the whole tree")
        if ".." in parts:
            raise ValueError(f"{path!r} has a '..', which could lead out of the tree")


def _need(condition: bool, usage: str) -> None:
    if not condition:
        raise ValueError(f"expected {usage}")


def _check_allbut(arguments: Sequence[str], usage: str) -> None:
    _need(arguments.count("--allbut") <= 1 and not (arguments and arguments[-1] == "--allbut"), usage)
    unknown = [word for word in arguments if word.startswith("--") and word != "--allbut"]
    _need(not unknown, usage)


def _check_remove(arguments: Sequence[str]) -> None:
    _need(bool(arguments), "remove FILEGLOB...")
    _check_paths(arguments)


def _check_removepkg(arguments: Sequence[str]) -> None:
    _need(bool(arguments) and not any(word.startswith("-") for word in arguments), "removepkg PKGGLOB...")


def _check_removefrom(arguments: Sequence[str]) -> None:
    usage = "removefrom PKGGLOB [--allbut] FILEGLOB..."
    _check_allbut(arguments, usage)
    _need(len(arguments) >= 2 and "--allbut" not in (arguments[0], *arguments[2:]), usage)
    for glob in arguments[1:]:
        if glob[:1] not in "/*?[-":
            raise ValueError(f"{glob!r} matches no file: the paths of a package begin with '/'")


def _check_removekmod(arguments: Sequence[str]) -> None:
    usage = "removekmod GLOB... [--allbut KEEPGLOB...]"
    _check_allbut(arguments, usage)
    _need(bool(arguments) and arguments[0] != "--allbut", usage)
    _check_paths([word for word in arguments if word != "--allbut"])


def _check_append(arguments: Sequence[str]) -> None:
    _need(len(arguments) == 2, "append FILE STRING")
    _check_paths(arguments[:1])
    if not arguments[1].isascii():
        raise ValueError("append takes ASCII only: lorax's escape sequences garble anything else")
    try:
        arguments[1].encode().decode("unicode_escape")
    except UnicodeDecodeError as error:
        raise ValueError(f"bad escape sequence in {arguments[1]!r}") from error


def _check_systemctl(arguments: Sequence[str]) -> None:
    _need(
        len(arguments) >= 2 and arguments[0] in ("enable", "disable", "mask"),
        "systemctl enable|disable|mask UNIT...",
    )


def _check_mkdir(arguments: Sequence[str]) -> None:
    _need(bool(arguments), "mkdir DIR...")
    _check_paths(arguments)


def _check_install(arguments: Sequence[str]) -> None:
    _need(len(arguments) == 2, "install SRCGLOB DEST")
    _check_paths((arguments[0], f"/DEST/{arguments[1]}"))


def _check_move(arguments: Sequence[str]) -> None:
    _need(len(arguments) == 2, "move SRC DEST")
    _check_paths((arguments[0], f"/DEST/{arguments[1]}"))


def _check_symlink(arguments: Sequence[str]) -> None:
    _need(len(arguments) == 2, "symlink TARGET DEST")
    _check_paths(arguments[1:])


_CHECKS: dict[str, Callable[[Sequence[str]], None]] = {
    "append": _check_append,
    "install": _check_install,
    "mkdir": _check_mkdir,
    "move": _check_move,
    "remove": _check_remove,
    "removefrom": _check_removefrom,
    "removekmod": _check_removekmod,
    "removepkg": _check_removepkg,
    "symlink": _check_symlink,
    "systemctl": _check_systemctl,
}
