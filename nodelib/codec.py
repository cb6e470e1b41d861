"""Frozen dataclasses to JSON and back: strict, with everything that is wrong found in one run."""

import dataclasses
import enum
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from nodelib.errors import Code, InvalidInput, VirtnodeError

T = TypeVar("T")


def encode(value: object) -> Any:
    """Turn a dataclass into what `json` can write: fields by name, tuples as lists, enumerations by value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], document: object) -> T:
    """Make a `kind` of what `json` read.

    A field with a default may be absent; an unknown field is an error, and so is a value of another type.
    Raises InvalidInput with one line for each problem: `path: what is wrong`.
    """
    problems: list[str] = []
    value = _decode(kind, document, "", problems)
    if problems:
        raise InvalidInput(problems)
    return typing.cast(T, value)


def decode_lenient(kind: type[T], document: object) -> T:
    """Like `decode`, for what a newer peer wrote: fields that this version does not know are left out."""
    problems: list[str] = []
    value = _decode(kind, document, "", problems, lenient=True)
    if problems:
        raise InvalidInput(problems)
    return typing.cast(T, value)


def to_json(value: object) -> str:
    """Write a dataclass as one line of JSON."""
    return json.dumps(encode(value), separators=(",", ":"), sort_keys=True)


def from_json(kind: type[T], text: str | bytes) -> T:
    """Read what `to_json` wrote; raises InvalidInput as `decode` does."""
    return decode(kind, parse_json(text))


def parse_json(text: str | bytes) -> Any:
    """Read JSON that came from outside: raises VirtnodeError (invalid) with the place of the mistake."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_read_float)
    except (ValueError, RecursionError) as error:
        raise VirtnodeError(Code.INVALID, f"not JSON: {error}") from error


def _read_float(digits: str) -> float:
    number = float(digits)
    # Python would write it as Infinity, which no reader takes.
    if math.isinf(number):
        raise ValueError(f"{digits[:30]} is too large")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _decode(kind: Any, value: Any, path: str, problems: list[str], *, lenient: bool = False) -> Any:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(kind, value, path, problems, lenient=lenient)
    if dataclasses.is_dataclass(kind):
        return _decode_fields(kind, value, path, problems, lenient=lenient)
    if origin is tuple:
        return _decode_items(typing.get_args(kind), value, path, problems, lenient=lenient)
    if origin in (dict, Mapping):
        return _decode_mapping(typing.get_args(kind)[1], value, path, problems, lenient=lenient)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _decode_choice(kind, value, path, problems)
    return _decode_plain(kind, value, path, problems)


def _decode_fields(kind: Any, value: Any, path: str, problems: list[str], *, lenient: bool) -> Any:
    if not isinstance(value, Mapping):
        problems.append(_wrong(path, "a table", value))
        return None
    fields = _fields(kind)
    if not lenient:
        problems += [
            f"{_below(path, str(name))}: unknown; known are {', '.join(fields)}"
            for name in value
            if name not in fields
        ]
    given = {}
    for name, (wanted, required) in fields.items():
        if name in value:
            given[name] = _decode(wanted, value[name], _below(path, name), problems, lenient=lenient)
        elif required:
            problems.append(f"{_below(path, name)}: missing")
    return None if problems else kind(**given)


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Tell each field's type, and whether it must be there; names of types are looked up once."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    }


def _decode_items(kinds: Any, value: Any, path: str, problems: list[str], *, lenient: bool) -> Any:
    if not isinstance(value, list | tuple):
        problems.append(_wrong(path, "a list", value))
        return None
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = [kinds[0]] * len(value)
    elif len(kinds) != len(value):
        problems.append(f"{path or 'the document'}: {len(value)} items, not {len(kinds)}")
        return None
    return tuple(
        _decode(kind, item, f"{path}[{number}]", problems, lenient=lenient)
        for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _decode_mapping(kind: Any, value: Any, path: str, problems: list[str], *, lenient: bool) -> Any:
    if not isinstance(value, Mapping):
        problems.append(_wrong(path, "a table", value))
        return None
    return {
        str(name): _decode(kind, item, _below(path, str(name)), problems, lenient=lenient)
        for name, item in value.items()
    }


def _decode_union(kind: Any, value: Any, path: str, problems: list[str], *, lenient: bool) -> Any:
    kinds = typing.get_args(kind)
    if value is None and type(None) in kinds:
        return None
    others = [one for one in kinds if one is not type(None)]
    tried: list[str] = []
    for one in others:
        tried = []
        found = _decode(one, value, path, tried, lenient=lenient)
        if not tried:
            return found
    problems += tried if len(others) == 1 else [_wrong(path, " or ".join(map(_name, others)), value)]
    return None


def _decode_choice(kind: type[enum.Enum], value: Any, path: str, problems: list[str]) -> Any:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        problems.append(f"{path or 'the document'}: {value!r} is not one of {known}")
        return None


def _decode_plain(kind: Any, value: Any, path: str, problems: list[str]) -> Any:
    if kind is Any or kind is object:
        return value
    # To Python a bool is an int; to whoever wrote the document it is not.
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return _to_float(value, path, problems)
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    problems.append(_wrong(path, _name(kind), value))
    return None


def _to_float(value: int, path: str, problems: list[str]) -> float | None:
    try:
        return float(value)
    except OverflowError:
        problems.append(f"{path or 'the document'}: a number of {value.bit_length()} bits is too large")
        return None


def _name(kind: Any) -> str:
    words = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))


def _wrong(path: str, wanted: str, value: Any) -> str:
    shown = json.dumps(value, default=str)
    return f"{path or 'the document'}: {shown if len(shown) <= 60 else shown[:57] + '...'} is not {wanted}"


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
