"""Every number that a node may say, found in the types of the protocol, and what a liar would put there."""

import copy
import dataclasses
import enum
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path = tuple[str | int, ...]
Json: TypeAlias = Any
"""A document, or a part of one."""
Kind: TypeAlias = Any
"""A type, as the protocol's dataclasses name it."""

EXTREMES: tuple[int | float, ...] = (
    10**4300 - 1,
    10**309,
    2**63,
    2**53,
    -1,
    -(10**309),
    1e300,
    -1e300,
    float("inf"),
    float("nan"),
)


def example(kind: Kind) -> Json:
    """Make a document of a type, with one of everything in it."""
    origin: Kind = typing.get_origin(kind)
    words = typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return example(next(one for one in words if one is not type(None)))
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return {field.name: example(hints[field.name]) for field in dataclasses.fields(kind)}
    if origin is tuple:
        return [example(words[0])]
    if origin in (dict, Mapping):
        return {"1": example(words[1])}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind)).value
    plain: dict[Any, Any] = {str: "x", bool: True, int: 1, float: 1.0}
    return plain.get(kind, {"any": [1, 1.0]})


def number_paths(document: Json, path: Path = ()) -> Iterator[Path]:
    """Find where the numbers of a document are."""
    if isinstance(document, dict | list):
        pairs = document.items() if isinstance(document, dict) else enumerate(document)
        for name, value in pairs:
            yield from number_paths(value, (*path, name))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path


def with_number(document: Json, path: Path, number: float) -> Json:
    """Put another number at a place of a document."""
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = number
    return changed


def numbers(value: object) -> Iterator[float]:
    """Find all numbers of a value that was read."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from numbers(getattr(value, field.name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from numbers(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
