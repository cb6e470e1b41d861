"""The JSON Schema of `node.toml`, made of its types, for editors and other programs."""

import json
import typing
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass

from nodeagent.intent import Intent, Match
from nodeagent.intent_forms import FORMS, WORDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]


def schema_text() -> str:
    """Write the schema as it is published in docs/node.schema.json."""
    schema = {"$schema": DIALECT, "title": "node.toml", **table_schema(Intent)}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def table_schema(kind: type) -> Schema:
    """Describe a table: its keys, which of them must be there, and that there are no others."""
    hints = typing.get_type_hints(kind)
    described: Schema = {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": {field.name: _key_schema(hints[field.name], field) for field in fields(kind)},
        "additionalProperties": False,
    }
    needed = [field.name for field in fields(kind) if field.metadata["needed"]]
    if needed:
        described["required"] = needed
    if kind is Match:
        described |= {"minProperties": 1, "maxProperties": 1}
    return described


def schema_keys(kind: type = Intent, prefix: str = "") -> Iterator[str]:
    """Name every key that a document may have, dotted; items of lists of tables without a number."""
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        inner = _table_of(hints[field.name])
        if inner is None:
            yield f"{prefix}{field.name}"
        else:
            yield from schema_keys(inner, f"{prefix}{field.name}.")


def _table_of(hint: object) -> type | None:
    """Return the table that a key holds, by itself or in a list."""
    inner = typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint
    return inner if isinstance(inner, type) and is_dataclass(inner) else None


def _key_schema(hint: object, field: "Field[object]") -> Schema:
    text = {"description": field.metadata["text"]}
    form = FORMS[field.metadata["form"]]
    table = _table_of(hint)
    is_list = typing.get_origin(hint) is tuple
    if table is not None:
        return (
            {**text, "type": "array", "items": table_schema(table)}
            if is_list
            else {**table_schema(table), **text}
        )
    if field.metadata["form"] in WORDS:
        words = {"enum": list(WORDS[field.metadata["form"]])}
        addresses = {
            "type": "array",
            "minItems": 1,
            "items": _form_schema("string", form.allowed, form.schema),
        }
        return {**text, "anyOf": [words, addresses]}
    if is_list:
        described = {**text, "type": "array", "items": _form_schema("string", form.allowed, form.schema)}
        return {**described, "minItems": 1} if field.metadata["needed"] else described
    if field.name == "version":
        return {**text, "const": field.default}
    kind = {str: "string", int: "integer", bool: "boolean"}[typing.cast(type, hint)]
    value = _form_schema(kind, form.allowed, form.schema)
    if kind == "string" and not field.metadata["needed"] and form.schema:
        value = {"anyOf": [{"const": ""}, value]}
    return {**text, **value}


def _form_schema(kind: str, allowed: str, schema: typing.Mapping[str, object]) -> Schema:
    return {"type": kind, **({"title": allowed} if allowed else {}), **schema}
