"""SPDX licence expressions: read them strictly, write them in one spelling, join them."""

import re
from collections.abc import Callable, Iterable, Sequence

from image.spdx_identifiers import EXCEPTIONS, LICENCES

NOASSERTION = "NOASSERTION"
REFERENCE_PREFIX = "LicenseRef-"

_TOKEN = re.compile(r"[()]|[A-Za-z0-9.+-]+|\S")
_REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_LICENCE_BY_FOLDED = {name.casefold(): name for name in LICENCES}
_EXCEPTION_BY_FOLDED = {name.casefold(): name for name in EXCEPTIONS}
_GNU = re.compile(r"(A?GPL|LGPL|GFDL)-\d\.\d", re.IGNORECASE)


_Reader = Callable[[Sequence[str]], tuple[str, Sequence[str]]]


class _NotAnExpressionError(Exception):
    """The text is no SPDX expression; never leaves this module."""


def canonical_expression(text: str) -> str | None:
    """Return an SPDX expression in its canonical spelling, or None when the text is not one."""
    tokens = _TOKEN.findall(text)
    if not tokens:
        return None
    try:
        expression, rest = _read_alternatives(tokens)
    except _NotAnExpressionError:
        return None
    return None if rest else expression


def canonical_licence(name: str) -> str | None:
    """Return the SPDX spelling of one licence identifier, today's name for a deprecated GNU one, or None."""
    if _REFERENCE.fullmatch(name):
        return name
    if _GNU.fullmatch(name.removesuffix("+")):
        name = name.removesuffix("+") + ("-or-later" if name.endswith("+") else "-only")
    return _LICENCE_BY_FOLDED.get(name.casefold())


def canonical_exception(name: str) -> str | None:
    """Return the SPDX spelling of one licence exception, or None."""
    return _EXCEPTION_BY_FOLDED.get(name.casefold())


def licence_reference(*words: str) -> str:
    """Make a `LicenseRef-` identifier of words, with what SPDX does not allow turned into hyphens."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-")
    return REFERENCE_PREFIX + (slug or "unnamed")


def references_in(expression: str) -> tuple[str, ...]:
    """Return the distinct `LicenseRef-` identifiers of an expression, sorted."""
    return tuple(sorted(set(_REFERENCE.findall(expression))))


def join_all(expressions: Iterable[str]) -> str:
    """Join distinct expressions with AND, in the order given, alternatives in parentheses."""
    distinct = tuple(dict.fromkeys(expressions))
    if len(distinct) == 1:
        return distinct[0]
    return " AND ".join(f"({part})" if _has_outer_or(part) else part for part in distinct)


def join_any(expressions: Iterable[str]) -> str:
    """Join distinct expressions with OR, in the order given; AND binds tighter and needs no parentheses."""
    return " OR ".join(dict.fromkeys(expressions))


def _has_outer_or(expression: str) -> bool:
    depth = 0
    for token in _TOKEN.findall(expression):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if token == "OR" and depth == 0:
            return True
    return False


def _read_alternatives(tokens: Sequence[str]) -> tuple[str, Sequence[str]]:
    return _read_joined(tokens, "OR", _read_conjunction)


def _read_conjunction(tokens: Sequence[str]) -> tuple[str, Sequence[str]]:
    return _read_joined(tokens, "AND", _read_term)


def _read_joined(tokens: Sequence[str], operator: str, read: _Reader) -> tuple[str, Sequence[str]]:
    part, rest = read(tokens)
    parts = [part]
    while rest and rest[0].upper() == operator:
        part, rest = read(rest[1:])
        parts.append(part)
    return f" {operator} ".join(parts), rest


def _read_term(tokens: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not tokens:
        raise _NotAnExpressionError
    if tokens[0] == "(":
        inner, rest = _read_alternatives(tokens[1:])
        if not rest or rest[0] != ")":
            raise _NotAnExpressionError
        return f"({inner})", rest[1:]
    name = canonical_licence(tokens[0])
    if name is None:
        raise _NotAnExpressionError
    if len(tokens) < 2 or tokens[1].upper() != "WITH":
        return name, tokens[1:]
    exception = canonical_exception(tokens[2]) if len(tokens) > 2 else None
    if exception is None:
        raise _NotAnExpressionError
    return f"{name} WITH {exception}", tokens[3:]
