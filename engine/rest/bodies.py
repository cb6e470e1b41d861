"""What a client sends, as XML or JSON, made into a document of known fields."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from engine.rest.shapes import Choice, Document, Field, Kind, Many, Scalar, Shape, Value
from nodelib.codec import parse_json
from nodelib.errors import Code, InvalidInput, VirtnodeError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BODY = 1 << 20
"""Bytes of the largest request body."""
_DEEPEST = 50
_WORDS = {"true": True, "1": True, "false": False, "0": False}


def read_xml(shape: Shape, body: bytes) -> Document:
    """Read a document; elements that it has no field for are left out, as clients send many."""
    try:
        root = ElementTree.fromstring(body, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise VirtnodeError(
            Code.INVALID, f"the body is no XML that can be taken: {_one_line(error)}"
        ) from error
    if root.tag != shape.tag:
        raise VirtnodeError(Code.INVALID, f"the body is <{root.tag}>, not <{shape.tag}>")
    problems: list[str] = []
    document = _structure_of_xml(shape, root, shape.tag, problems, 0)
    return _judged(document, problems)


def read_json(shape: Shape, body: bytes) -> Document:
    """Read a document; numbers and truth may be JSON's own or, as oVirt writes them, text."""
    found = parse_json(body)
    if not isinstance(found, dict):
        raise VirtnodeError(Code.INVALID, f"the body is {_shorten(found)}, not an object")
    problems: list[str] = []
    document = _structure_of_json(shape, found, shape.tag, problems, 0)
    return _judged(document, problems)


def read_scalar(kind: Scalar | Choice, text: str) -> str | int | float | bool:
    """Read one value as oVirt writes it. Raises ValueError that says what is expected."""
    if isinstance(kind, Choice):
        if text in kind.words:
            return text
        raise ValueError(f"one of {', '.join(kind.words)}")
    if kind is Scalar.BOOLEAN:
        if (word := text.strip().lower()) in _WORDS:
            return _WORDS[word]
        raise ValueError("true or false")
    if kind is Scalar.INTEGER:
        digits = text.strip().removeprefix("-")
        if digits.isascii() and digits.isdigit() and len(digits) < 20:
            return int(text)
        raise ValueError("a whole number")
    if kind in (Scalar.DECIMAL, Scalar.TIME):
        return _read_decimal(text)
    return text


def _read_decimal(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a number")
    return number


def _structure_of_xml(
    shape: Shape, element: "Element", path: str, problems: list[str], depth: int
) -> dict[str, Value]:
    if depth > _DEEPEST:
        raise VirtnodeError(Code.INVALID, "the body is nested too deeply")
    document: dict[str, Value] = {}
    for one in _fields_with_identity(shape):
        if one.name in ("id", "href"):
            if (attribute := element.get(one.name)) is not None:
                document[one.name] = attribute
        elif (inner := element.find(one.name)) is not None:
            _put(document, one, _value_of_xml(one.kind, inner, f"{path}.{one.name}", problems, depth + 1))
    return document


def _value_of_xml(kind: Kind, element: "Element", path: str, problems: list[str], depth: int) -> Value | None:
    if isinstance(kind, Shape):
        return _structure_of_xml(kind, element, path, problems, depth)
    if isinstance(kind, Many):
        items = [
            _value_of_xml(kind.item, one, path, problems, depth + 1) for one in element.findall(kind.tag)
        ]
        return [item for item in items if item is not None]
    return _scalar(kind, element.text or "", path, problems)


def _structure_of_json(
    shape: Shape, found: Mapping[str, object], path: str, problems: list[str], depth: int
) -> dict[str, Value]:
    document: dict[str, Value] = {}
    for one in _fields_with_identity(shape):
        value = found.get(one.name)
        if value is not None:
            _put(document, one, _value_of_json(one.kind, value, f"{path}.{one.name}", problems, depth + 1))
    return document


def _value_of_json(kind: Kind, found: object, path: str, problems: list[str], depth: int) -> Value | None:
    if isinstance(kind, Shape):
        if isinstance(found, dict):
            return _structure_of_json(kind, found, path, problems, depth)
        problems.append(f"{path}: {_shorten(found)} is not an object")
        return None
    if isinstance(kind, Many):
        items = found.get(kind.tag, []) if isinstance(found, dict) else found
        if not isinstance(items, list):
            problems.append(f"{path}: {_shorten(found)} is not a list")
            return None
        values = [_value_of_json(kind.item, item, path, problems, depth + 1) for item in items]
        return [value for value in values if value is not None]
    if isinstance(found, str):
        return _scalar(kind, found, path, problems)
    if isinstance(found, bool | int | float) and kind is not Scalar.TEXT and not isinstance(kind, Choice):
        return _scalar(kind, json.dumps(found), path, problems)
    problems.append(f"{path}: {_shorten(found)} is not text")
    return None


def _scalar(kind: Scalar | Choice, text: str, path: str, problems: list[str]) -> Value | None:
    try:
        return read_scalar(kind, text)
    except ValueError as error:
        problems.append(f"{path}: {_shorten(text)} is not {error}")
        return None


def _fields_with_identity(shape: Shape) -> tuple[Field, ...]:
    identity = (Field("id", Scalar.TEXT), Field("href", Scalar.TEXT)) if shape.identified else ()
    return identity + shape.fields


def _put(document: dict[str, Value], field: Field, value: Value | None) -> None:
    if value is not None:
        document[field.name] = value


def _judged(document: Document, problems: list[str]) -> Document:
    if problems:
        raise InvalidInput(problems)
    return document


def _shorten(value: object) -> str:
    shown = json.dumps(value, default=str)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
