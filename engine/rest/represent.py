"""Documents as oVirt writes them: XML with attributes, or JSON whose numbers are strings."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, Union
from xml.etree import ElementTree

from engine.rest.shapes import Document, Field, Kind, Many, Scalar, Shape, Value

XML = "application/xml"
JSON = "application/json"

JsonValue: TypeAlias = Union[str, int, "JsonObject", Sequence["JsonValue"]]
JsonObject: TypeAlias = dict[str, JsonValue]

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def represent(kind: Shape | Many, value: Value, media_type: str) -> bytes:
    """Write a document, or a list of them, in the media type that was asked for."""
    if media_type == JSON:
        return json.dumps(_to_json(kind, value), ensure_ascii=False).encode(errors="replace")
    name = kind.tag if isinstance(kind, Shape) else kind.collection
    root = ElementTree.Element(name)
    _fill_element(root, kind, value)
    ElementTree.indent(root, "    ")
    # To oVirt's SDK `<comment/>` is no text, and `<comment></comment>` an empty one.
    content: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True, short_empty_elements=False)
    return content + b"\n"


def links_of(shape: Shape, document: Document) -> list[tuple[str, str]]:
    """List a resource's links: those of its own, and each field that nobody followed."""
    below = f"{document['href']}/" if "href" in document else ""
    followable = [(one.name, one.link) for one in shape.linked if one.name not in document]
    return [(rel, below + path) for rel, path in [*shape.links, *followable]]


def actions_of(shape: Shape, document: Document) -> list[tuple[str, str]]:
    """List what can be done with a resource, each with its address."""
    return [(name, f"{document['href']}/{name}") for name in shape.actions if "href" in document]


def _fill_element(element: ElementTree.Element, kind: Kind, value: Value) -> None:
    if isinstance(kind, Shape):
        _fill_structure(element, kind, _as_document(value))
    elif isinstance(kind, Many):
        for item in _as_items(value):
            _fill_element(ElementTree.SubElement(element, kind.tag), kind.item, item)
    else:
        element.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", _to_text(kind, value))


def _fill_structure(element: ElementTree.Element, shape: Shape, document: Document) -> None:
    _check_names(shape, document)
    if shape.identified:
        for name in ("href", "id"):
            if name in document:
                element.set(name, _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", str(document[name])))
    if actions := actions_of(shape, document):
        box = ElementTree.SubElement(element, "actions")
        for rel, href in actions:
            ElementTree.SubElement(box, "link", {"href": href, "rel": rel})
    for one in _shown(shape, document):
        _fill_element(ElementTree.SubElement(element, one.name), one.kind, document[one.name])
    for rel, href in links_of(shape, document):
        ElementTree.SubElement(element, "link", {"href": href, "rel": rel})


def _to_json(kind: Kind, value: Value) -> JsonValue:
    if isinstance(kind, Shape):
        return _structure_to_json(kind, _as_document(value))
    if isinstance(kind, Many):
        items: list[JsonValue] = [_to_json(kind.item, item) for item in _as_items(value)]
        # An empty list is an object without members, as oVirt writes it.
        return {kind.tag: items} if items else {}
    if kind is Scalar.TIME and isinstance(value, int | float):
        return round(value * 1000)
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
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return str(value)


def _check_names(shape: Shape, document: Document) -> None:
    known = {one.name for one in shape.fields} | ({"id", "href"} if shape.identified else set())
    if unknown := set(document) - known:
        raise TypeError(f"{shape.tag} has no {', '.join(sorted(unknown))}")


def _as_document(value: Value) -> Document:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no document")
    return value


def _as_items(value: Value) -> Sequence[Value]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        raise TypeError(f"{value!r} is no list")
    return value
