"""Documents as oVirt writes them: XML with attributes, or JSON whose numbers are strings."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeAlias, Union
from xml.sax.saxutils import escape

from engine.rest.shapes import Document, Field, Kind, Many, Scalar, Shape, Value
from engine.wire import bound_time

XML = "application/xml"
JSON = "application/json"
DECLARATION = "<?xml version='1.0' encoding='utf-8'?>"
INDENT = "    "

JsonValue: TypeAlias = Union[str, int, "JsonObject", Sequence["JsonValue"]]
JsonObject: TypeAlias = dict[str, JsonValue]

_IN_ATTRIBUTES = {'"': "&quot;", "\t": "&#09;", "\n": "&#10;", "\r": "&#13;"}
_PLAIN = re.compile(r"[\w /:;.,=?{}()+*@-]*", re.ASCII)
"""What means itself everywhere: nearly every text."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def represent(kind: Shape | Many, value: Value, media_type: str) -> bytes:
    """Write a document, or a list of them, in the media type that was asked for."""
    if media_type == JSON:
        return json.dumps(_to_json(kind, value), ensure_ascii=False).encode(errors="replace")
    lines: list[str] = []
    _write_element(lines, "", kind.tag if isinstance(kind, Shape) else kind.collection, kind, value)
    return "\n".join((DECLARATION, *lines, "")).encode()


def links_of(shape: Shape, document: Document) -> list[tuple[str, str]]:
    """List a resource's links: those of its own, and each field that nobody followed."""
    below = f"{document['href']}/" if "href" in document else ""
    followable = [(one.name, one.link) for one in shape.linked if one.name not in document]
    return [(rel, below + path) for rel, path in [*shape.links, *followable]]


def actions_of(shape: Shape, document: Document) -> list[tuple[str, str]]:
    """List what can be done with a resource, each with its address."""
    return [(name, f"{document['href']}/{name}") for name in shape.actions if "href" in document]


def _write_element(lines: list[str], indent: str, name: str, kind: Kind, value: Value) -> None:
    """Write an element below those that are there, each on a line of its own."""
    if isinstance(kind, Shape):
        _write_structure(lines, indent, name, kind, _as_document(value))
    elif isinstance(kind, Many):
        place = _begin(lines, indent, name)
        for item in _as_items(value):
            _write_element(lines, indent + INDENT, kind.tag, kind.item, item)
        _end(lines, indent, name, place)
    else:
        lines.append(f"{indent}<{name}>{_escape(_to_text(kind, value))}</{name}>")


def _write_structure(lines: list[str], indent: str, name: str, shape: Shape, document: Document) -> None:
    _check_names(shape, document)
    identity = [one for one in ("href", "id") if shape.identified and one in document]
    place = _begin(lines, indent, name, "".join(_attribute(one, document[one]) for one in identity))
    below = indent + INDENT
    if actions := actions_of(shape, document):
        box = _begin(lines, below, "actions")
        for rel, href in actions:
            lines.append(_link(below + INDENT, rel, href))
        _end(lines, below, "actions", box)
    for one in _shown(shape, document):
        _write_element(lines, below, one.name, one.kind, document[one.name])
    for rel, href in links_of(shape, document):
        lines.append(_link(below, rel, href))
    _end(lines, indent, name, place)


def _begin(lines: list[str], indent: str, name: str, attributes: str = "") -> int:
    """Open an element, and return the line that it is on."""
    lines.append(f"{indent}<{name}{attributes}>")
    return len(lines) - 1


def _end(lines: list[str], indent: str, name: str, place: int) -> None:
    """Close an element. To oVirt's SDK `<comment/>` is no text, and `<comment></comment>` an empty one."""
    if place == len(lines) - 1:
        lines[place] += f"</{name}>"
    else:
        lines.append(f"{indent}</{name}>")


def _link(indent: str, rel: str, href: str) -> str:
    return f"{indent}<link{_attribute('href', href)}{_attribute('rel', rel)}></link>"


def _attribute(name: str, value: Value) -> str:
    return f' {name}="{_escape(str(value), _IN_ATTRIBUTES)}"'


def _escape(text: str, further: Mapping[str, str] = MappingProxyType({})) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return escape(_NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text), dict(further))


def _to_json(kind: Kind, value: Value) -> JsonValue:
    if isinstance(kind, Shape):
        return _structure_to_json(kind, _as_document(value))
    if isinstance(kind, Many):
        items: list[JsonValue] = [_to_json(kind.item, item) for item in _as_items(value)]
        # An empty list is an object without members, as oVirt writes it.
        return {kind.tag: items} if items else {}
    if kind is Scalar.TIME and isinstance(value, int | float):
        return round(bound_time(value) * 1000)
    return _to_text(kind, value)


def _structure_to_json(shape: Shape, document: Document) -> JsonObject:
    _check_names(shape, document)
    found: JsonObject = {}
    if actions := actions_of(shape, document):
        found["actions"] = {"link": [{"href": href, "rel": rel} for rel, href in actions]}
    for one in _shown(shape, document):
        found[one.name] = _to_json(one.kind, document[one.name])
    if links := links_of(shape, document):
        found["link"] = [{"href": href, "rel": rel} for rel, href in links]
    if shape.identified:
        found |= {name: str(document[name]) for name in ("href", "id") if name in document}
    return found


def _shown(shape: Shape, document: Document) -> list[Field]:
    return [one for one in shape.fields if one.name in document]


def _to_text(kind: Kind, value: Value) -> str:
    if kind is Scalar.BOOLEAN:
        return "true" if value else "false"
    if kind is Scalar.TIME and isinstance(value, int | float):
        return datetime.fromtimestamp(bound_time(value), UTC).isoformat(timespec="milliseconds")
    return str(value)


def _check_names(shape: Shape, document: Document) -> None:
    if unknown := document.keys() - shape.names:
        raise TypeError(f"{shape.tag} has no {', '.join(sorted(unknown))}")


def _as_document(value: Value) -> Document:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no document")
    return value


def _as_items(value: Value) -> Sequence[Value]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise TypeError(f"{value!r} is no list")
    return value
