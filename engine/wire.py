"""What nodes say, read: the one border at which their numbers are brought within bounds.

A number that no reader can take is brought to the nearest one that they can, so that an odd sensor keeps
nobody out. What was stored before there were bounds is read through here as well.
"""

import dataclasses
import enum
import functools
import operator
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from nodelib.codec import decode_lenient
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ArchivePart
from nodelib.link_update import ImagePartRequest

T = TypeVar("T")
LARGEST_WHOLE = (1 << 53) - 1
"""The largest whole number that every reader of JSON takes."""
LATEST = 253402300799.0
"""The last second of the year 9999, and the largest number that is not whole."""
CHECKED = (ArchivePart, ImagePartRequest)
"""What is compared with a file anyway: another offset than the one that was meant would do harm."""
FREE = (Any, object, Mapping[str, Any])
"""Types of fields that hold whatever the node likes: its numbers may be negative."""


def read_from_node(kind: type[T], document: object) -> T:
    """Read what a node sent, or what was stored of it, with its numbers within bounds.

    Fields that this version does not know are left out. Raises InvalidInput for what is no `kind`, and
    VirtnodeError (invalid) for what is nested too deeply.
    """
    try:
        found = decode_lenient(kind, document)
        return found if isinstance(found, CHECKED) else cast(T, _bounded(found))
    except RecursionError as error:
        raise VirtnodeError(Code.INVALID, "the message is nested too deeply") from error


def bound_time(seconds: float) -> float:
    """Bring a time, in seconds since 1970, to one that can be written as a date."""
    # What is no number compares with nothing.
    return min(max(seconds, 0.0), LATEST) if seconds == seconds else 0.0


def _bounded(value: object, *, least: int = 0) -> object:
    if isinstance(value, bool | str | enum.Enum) or value is None:
        return value
    if isinstance(value, int):
        return min(max(value, least), LARGEST_WHOLE)
    if isinstance(value, float):
        return bound_time(value) if least == 0 else max(-LATEST, min(value, LATEST))
    if isinstance(value, Mapping):
        bounded = {name: _bounded(one, least=least) for name, one in value.items()}
        return bounded if any(one is not value[name] for name, one in bounded.items()) else value
    if isinstance(value, tuple | list):
        row = [_bounded(one, least=least) for one in value]
        return type(value)(row) if any(map(operator.is_not, row, value)) else value
    return _bounded_fields(value)


def _bounded_fields(value: object) -> object:
    """Bound each field of a dataclass; what has nothing to bound stays the object that it is."""
    changed = {}
    kind: type = type(value)
    for name, free in _fields(kind):
        before = getattr(value, name)
        after = _bounded(before, least=-LARGEST_WHOLE if free else 0)
        if after is not before:
            changed[name] = after
    row: Any = value
    return dataclasses.replace(row, **changed) if changed else value


@functools.cache
def _fields(kind: type) -> tuple[tuple[str, bool], ...]:
    return tuple((field.name, field.type in FREE) for field in dataclasses.fields(kind))
