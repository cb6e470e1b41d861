"""oVirt's search language: `name=web* and status != up sortby name desc page 2`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from engine.rest.shapes import Document, Value
from nodelib.errors import Code, VirtnodeError

LONGEST = 1000
DEEPEST = 20
"""Parentheses within parentheses."""
PAGE_SIZE = 100
"""Rows of a page where the request gives no `max`."""

Fields = Mapping[str, tuple[str, ...]]
"""What can be searched for, and where a document has it."""
Condition = Callable[[Document], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"[^"]*")|(?P<operator>!=|<=|>=|=|<|>)|(?P<bracket>[()])|(?P<word>[^\s"()=<>!]+|!))"""
)
_RESERVED = ("and", "or", "sortby")
_ORDERINGS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda found, wanted: found < wanted,
    ">": lambda found, wanted: found > wanted,
    "<=": lambda found, wanted: found <= wanted,
    ">=": lambda found, wanted: found >= wanted,
}


@dataclass(frozen=True)
class Search:
    """A question that was understood: which documents, in which order, from which page."""

    condition: Condition
    sort: tuple[str, ...] = ()
    """Where the value to sort by is."""
    descending: bool = False
    page: int = 1
    everything: bool = False
    """There is no condition: every document is asked for."""

    def enough(self, most: int | None) -> int | None:
        """Tell how many documents, in their own order, hold the answer; None where it may take all."""
        if not self.everything or self.sort:
            return None
        size = PAGE_SIZE if most is None and self.page > 1 else most
        return None if size is None else self.page * size

    def select(self, documents: Sequence[Document], most: int | None) -> list[Document]:
        """Return the documents that were asked for, at most so many."""
        found = [one for one in documents if self.condition(one)]
        if self.sort:
            found.sort(key=lambda one: _sort_key(find_value(one, self.sort)), reverse=self.descending)
        size = PAGE_SIZE if most is None and self.page > 1 else most
        start = (self.page - 1) * (size or 0)
        return found[start:] if size is None else found[start : start + size]


def parse_search(text: str, fields: Fields, *, case_sensitive: bool = True) -> Search:
    """Understand a question. Raises VirtnodeError (invalid) that says where it goes wrong."""
    if len(text) > LONGEST:
        raise VirtnodeError(Code.INVALID, f"a search has at most {LONGEST} characters")
    return _Parser(_split(text), fields, case_sensitive=case_sensitive).parse()


def find_value(document: Document, path: tuple[str, ...]) -> Value | None:
    """Look up a value inside a document; None where there is none."""
    value: Value | None = document
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def matches_pattern(text: str, pattern: str) -> bool:
    """Compare with a pattern in which `*` stands for anything, in time linear for each of its pieces."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


@dataclass(frozen=True)
class _Token:
    text: str
    kind: str


def _split(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise VirtnodeError(
                Code.INVALID, f"the search is not understood at {text[place : place + 20]!r}", _HINT
            )
        tokens.append(_Token(match.group(match.lastgroup).strip('"'), match.lastgroup))
        place = match.end()
    return tokens


_HINT = "write NAME=VALUE, joined by `and` and `or`, then `sortby NAME desc`; * stands for anything"


class _Parser:
    """Reads the tokens once, from left to right."""

    def __init__(self, tokens: list[_Token], fields: Fields, *, case_sensitive: bool) -> None:
        self._tokens = tokens
        self._fields = fields
        self._case_sensitive = case_sensitive
        self._place = 0
        self._depth = 0

    def parse(self) -> Search:
        condition: Condition = lambda document: True  # noqa: E731 - the question that asks for everything
        everything = self._at_end() or self._sees("sortby", "page")
        if not everything:
            condition = self._read_any()
        sort, descending, page = self._read_sort(), False, 1
        if sort and self._sees("asc", "desc"):
            descending = self._take().text.lower() == "desc"
        if self._sees("page"):
            self._take()
            page = self._read_page()
        if not self._at_end():
            raise self._wrong(f"{self._tokens[self._place].text!r} does not belong there")
        return Search(condition, sort, descending, page, everything)

    def _read_any(self) -> Condition:
        conditions = [self._read_all()]
        while self._sees("or"):
            self._take()
            conditions.append(self._read_all())
        return lambda document: any(condition(document) for condition in conditions)

    def _read_all(self) -> Condition:
        conditions = [self._read_one()]
        while not self._at_end() and not self._sees("or", "sortby", "page", ")"):
            if self._sees("and"):
                self._take()
            conditions.append(self._read_one())
        return lambda document: all(condition(document) for condition in conditions)

    def _read_one(self) -> Condition:
        token = self._take()
        if token.kind == "bracket" and token.text == "(":
            return self._read_bracket()
        if not _is_value(token):
            raise self._wrong(f"{token.text!r} does not belong there")
        if not self._at_end() and self._tokens[self._place].kind == "operator":
            operator = self._take().text
            value = self._take()
            if not _is_value(value):
                raise self._wrong(f"{token.text} {operator} what?")
            return self._compare(self._path(token.text), operator, value.text)
        return self._look_anywhere(token.text)

    def _read_bracket(self) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"more than {DEEPEST} parentheses within each other")
        condition = self._read_any()
        if not self._sees(")"):
            raise self._wrong("a parenthesis is not closed")
        self._take()
        self._depth -= 1
        return condition

    def _read_sort(self) -> tuple[str, ...]:
        if not self._sees("sortby"):
            return ()
        self._take()
        return self._path(self._take().text)

    def _read_page(self) -> int:
        number = self._take().text
        if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
            raise self._wrong(f"{number!r} is no page: they are counted from 1")
        return int(number)

    def _compare(self, path: tuple[str, ...], operator: str, wanted: str) -> Condition:
        if operator in ("=", "!="):
            equal = operator == "="
            return lambda document: self._is_like(find_value(document, path), wanted) is equal
        compare = _ORDERINGS[operator]
        number = _read_number(wanted)
        if number is None:
            raise self._wrong(f"{wanted!r} is neither a number nor a time, as {operator} needs")

        def in_order(document: Document) -> bool:
            found = find_value(document, path)
            return isinstance(found, int | float) and compare(found, number)

        return in_order

    def _look_anywhere(self, wanted: str) -> Condition:
        pattern = wanted if "*" in wanted else f"*{wanted}*"
        paths = tuple(self._fields.values())
        return lambda document: any(self._is_like(find_value(document, path), pattern) for path in paths)

    def _is_like(self, found: Value | None, wanted: str) -> bool:
        if found is None:
            return wanted in ("", "null")
        if isinstance(found, bool):
            return ("true" if found else "false") == wanted.lower()
        if isinstance(found, int | float) and "*" not in wanted:
            return _read_number(wanted) == found
        text = str(found)
        if not self._case_sensitive:
            text, wanted = text.casefold(), wanted.casefold()
        return matches_pattern(text, wanted)

    def _path(self, name: str) -> tuple[str, ...]:
        path = self._fields.get(name.lower())
        if path is None:
            known = ", ".join(sorted(self._fields))
            raise VirtnodeError(Code.INVALID, f"cannot search for {name!r}", f"known are {known}")
        return path

    def _at_end(self) -> bool:
        return self._place >= len(self._tokens)

    def _sees(self, *words: str) -> bool:
        if self._at_end():
            return False
        token = self._tokens[self._place]
        return token.kind in ("word", "bracket") and token.text.lower() in words

    def _take(self) -> _Token:
        if self._at_end():
            raise self._wrong("the search ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def _wrong(self, message: str) -> VirtnodeError:
        return VirtnodeError(Code.INVALID, message, _HINT)


def _is_value(token: _Token) -> bool:
    """Tell whether a token can be searched for; the language's own words are quoted for that."""
    return token.kind == "quoted" or (token.kind == "word" and token.text.lower() not in _RESERVED)


def _read_number(text: str) -> float | None:
    """Read a number, or a time as seconds since 1970: a time without zone is UTC."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _sort_key(value: Value | None) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (1, value, "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value).casefold())
