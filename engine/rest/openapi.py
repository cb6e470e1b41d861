"""The OpenAPI document: the same tables of resources and endpoints, for programs to read."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

from engine.rest.endpoint import API_PATH, Endpoint, Parameter
from engine.rest.represent import JSON, XML
from engine.rest.resources import FAULT, RESOURCES
from engine.rest.shapes import Choice, Kind, Many, Scalar, Shape

Json: TypeAlias = Union[str, int, bool, Sequence["Json"], "JsonTable"]
JsonTable: TypeAlias = Mapping[str, Json]

LARGEST = 2**63 - 1
FORM = "application/x-www-form-urlencoded"
REQUESTED = "_request"
"""Behind the name of a resource as clients may write it: with numbers and truth of JSON's own as well."""

_LINK: JsonTable = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "rel": {"type": "string", "xml": {"attribute": True}},
            "href": {"type": "string", "xml": {"attribute": True}},
        },
        "required": ["rel", "href"],
    },
}
_WRITTEN: Mapping[Scalar, JsonTable] = {
    Scalar.TEXT: {"type": "string"},
    Scalar.INTEGER: {"type": "string", "pattern": "^-?[0-9]+$"},
    Scalar.DECIMAL: {"type": "string", "pattern": "^-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?$"},
    Scalar.BOOLEAN: {"type": "string", "enum": ["true", "false"]},
    Scalar.TIME: {"type": ["integer", "string"], "description": "Milliseconds in JSON, ISO 8601 in XML."},
}
_READ: Mapping[Scalar, JsonTable] = {
    Scalar.TEXT: {"type": ["string", "null"]},
    Scalar.INTEGER: {"anyOf": [{"type": ["integer", "null"]}, _WRITTEN[Scalar.INTEGER]]},
    Scalar.DECIMAL: {"anyOf": [{"type": ["number", "null"]}, _WRITTEN[Scalar.DECIMAL]]},
    Scalar.BOOLEAN: {"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["true", "false", "1", "0", 1, 0]}]},
    Scalar.TIME: {"type": ["number", "null"]},
}
_QUERY: Mapping[Scalar, JsonTable] = {
    Scalar.TEXT: {"type": "string"},
    Scalar.INTEGER: {"type": "integer", "maximum": LARGEST},
    Scalar.DECIMAL: {"type": "number"},
    Scalar.BOOLEAN: {"type": "string", "enum": ["true", "false", "1", "0"]},
    Scalar.TIME: {"type": "number"},
}


def make_openapi(endpoints: Sequence[Endpoint], version: str) -> JsonTable:
    """Describe endpoints and the resources that they speak of, as OpenAPI 3.1."""
    paths: dict[str, dict[str, Json]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    requested = {one.body.tag: one.body for one in endpoints if one.body}
    schemas = {shape.tag: _structure(shape, read=False) for shape in RESOURCES}
    schemas |= {name + REQUESTED: _structure(shape, read=True) for name, shape in requested.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "virtnode Engine",
            "version": version,
            "description": "oVirt's version 4 API, as far as this engine has something to say.",
        },
        "paths": {path: dict(operations) for path, operations in paths.items()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "password": {"type": "http", "scheme": "basic"},
                "session": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _operation(endpoint: Endpoint) -> JsonTable:
    operation: dict[str, Json] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.about,
        "parameters": [
            *map(_path_parameter, re.findall(r"\{(\w+)\}", endpoint.path)),
            *map(_query_parameter, endpoint.parameters),
        ],
        "responses": _responses(endpoint),
        # An endpoint for everybody says so by asking for nothing.
        "security": [{"password": []}, {"session": []}] if endpoint.role else [],
    }
    if endpoint.role:
        operation["description"] = f"Takes the role {endpoint.role} or one that may do more."
    if endpoint.body:
        schema: JsonTable = {"$ref": f"#/components/schemas/{endpoint.body.tag}{REQUESTED}"}
        operation["requestBody"] = {"content": {name: {"schema": schema} for name in (XML, JSON)}}
    if endpoint.form:
        fields: JsonTable = {name: {"type": "string"} for name in endpoint.form}
        operation["requestBody"] = {
            "content": {FORM: {"schema": {"type": "object", "properties": fields}}},
        }
    return operation


def _responses(endpoint: Endpoint) -> JsonTable:
    if endpoint.reply is None:
        text: JsonTable = {"type": "object"} if endpoint.media_type == JSON else {"type": "string"}
        content: JsonTable = {endpoint.media_type: {"schema": text}}
        refused = {"schema": {"type": "object"}} if endpoint.role is None else _fault_content()
    else:
        schema = _schema(endpoint.reply, read=False)
        content = {name: {"schema": schema} for name in (XML, JSON)}
        refused = _fault_content()
    refusal: JsonTable = dict.fromkeys((XML, JSON), refused)
    return {
        "200": {"description": "Done.", "content": content},
        "default": {"description": "Refused; the fault says why.", "content": refusal},
    }


def _fault_content() -> JsonTable:
    return {"schema": {"$ref": f"#/components/schemas/{FAULT.tag}"}}


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"\w+", endpoint.path.removeprefix(API_PATH))
    return "_".join([endpoint.method.lower(), *words])


def _path_parameter(name: str) -> JsonTable:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameter(parameter: Parameter) -> JsonTable:
    schema: dict[str, Json]
    if isinstance(parameter.kind, Choice):
        schema = {"type": "string", "enum": list(parameter.kind.words)}
    else:
        schema = dict(_QUERY[parameter.kind])
    if parameter.least is not None:
        schema["minimum"] = parameter.least
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": parameter.about,
        "schema": schema,
    }


def _schema(kind: Kind, *, read: bool) -> JsonTable:
    if isinstance(kind, Shape):
        if kind in RESOURCES and not read:
            return {"$ref": f"#/components/schemas/{kind.tag}"}
        return _structure(kind, read=read)
    if isinstance(kind, Many):
        items = _schema(kind.item, read=read)
        table: JsonTable = {
            "type": "object",
            "properties": {kind.tag: {"type": "array", "items": items}},
            **({"xml": {"name": kind.collection}} if kind.collection else {}),
        }
        return {"anyOf": [{"type": "null"}, table]} if read else table
    if isinstance(kind, Choice):
        return {"enum": [*kind.words, None] if read else list(kind.words)}  # type: ignore[list-item]
    return (_READ if read else _WRITTEN)[kind]


def _structure(shape: Shape, *, read: bool) -> JsonTable:
    properties: dict[str, Json] = {}
    if shape.identified:
        attribute: JsonTable = {"type": ["string", "null"] if read else "string", "xml": {"attribute": True}}
        properties |= {"id": attribute, "href": attribute}
    for one in shape.fields:
        schema = dict(_schema(one.kind, read=read))
        if one.about and "$ref" not in schema:
            schema.setdefault("description", one.about)
        properties[one.name] = schema
    if not read:
        if shape.links or shape.linked:
            properties["link"] = _LINK
        if shape.actions:
            properties["actions"] = {"type": "object", "properties": {"link": _LINK}}
    return {
        "type": ["object", "null"] if read and shape.tag not in {one.tag for one in RESOURCES} else "object",
        "properties": properties,
        "xml": {"name": shape.tag},
        **({"description": shape.about} if shape.about else {}),
    }
