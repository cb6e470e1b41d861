"""Tables to an intent: every key, type and value is looked at, and all that is wrong is told at once."""

import copy
import json
import typing
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass

from nodeagent.intent import VERSION, Intent, Match
from nodeagent.intent_forms import FORMS, WORDS
from nodeagent.network.links import check_network
from nodeagent.problems import Path, Problem
from nodelib.codec import decode

LONGEST_SHOWN = 60
TYPE_WORDS = {str: "text", int: "a whole number", bool: "true or false"}


def read_intent(document: Mapping[str, object]) -> tuple[Intent, tuple[Problem, ...]]:
    """Make an intent of tables, with all that is wrong; what is wrong is as if it were not there."""
    problems = list(_check_table(Intent, document, ()))
    intent = decode(Intent, _without(document, [problem.path for problem in problems]))
    return intent, (*problems, *check_network(intent.network))


def _check_table(kind: type, table: Mapping[str, object], path: Path) -> Iterator[Problem]:
    known = {field.name: field for field in fields(kind)}
    hints = typing.get_type_hints(kind)
    for name, value in table.items():
        if name not in known:
            yield Problem((*path, name), f"unknown; known are {', '.join(known)}")
        else:
            yield from _check_value(hints[name], known[name], value, (*path, name))
    for name, field in known.items():
        if field.metadata["needed"] and name not in table:
            yield Problem((*path, name), f"missing; {_meaning(field)}")
    given = [name for name in table if name in known]
    if kind is Match and len(given) > 1:
        yield Problem(path, f"{' and '.join(given)}: one of them alone")


def _check_value(kind: object, field: "Field[object]", value: object, path: Path) -> Iterator[Problem]:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    form = field.metadata["form"]
    if isinstance(kind, type) and is_dataclass(kind):
        if isinstance(value, dict):
            yield from _check_table(kind, value, path)
            if kind is Match and not value:
                yield Problem(path, f"empty; {_meaning(field)}")
        else:
            yield Problem(path, f"{_shown(value)} is not a table")
    elif origin is tuple:
        yield from _check_items(inner[0], field, value, path)
    elif form in WORDS:
        yield from _check_words_or_list(field, value, path)
    elif type(value) is not kind:
        wanted = TYPE_WORDS[typing.cast(type, kind)]
        allowed = f"; allowed: {FORMS[form].allowed}" if form else ""
        yield Problem(path, f"{_shown_unless_secret(field, value)} is not {wanted}{allowed}")
    elif field.name == "version" and value != VERSION:
        yield Problem(path, f"{value} is not known; this node reads {VERSION}")
    elif value == "" and not field.metadata["needed"]:
        return
    else:
        yield from _check_form(field, typing.cast(str | int, value), path)


def _check_items(kind: object, field: "Field[object]", value: object, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, f"{_shown(value)} is not a list")
        return
    if field.metadata["needed"] and not value:
        yield Problem(path, f"empty; {_meaning(field)}")
    for number, item in enumerate(value):
        here = (*path, number)
        if isinstance(kind, type) and is_dataclass(kind):
            if isinstance(item, dict):
                yield from _check_table(kind, item, here)
            else:
                yield Problem(here, f"{_shown(item)} is not a table; write [[{'.'.join(map(str, path))}]]")
        elif not isinstance(item, str):
            yield Problem(
                here, f"{_shown(item)} is not text; allowed: {FORMS[field.metadata['form']].allowed}"
            )
        else:
            yield from _check_form(field, item, here)


def _check_words_or_list(field: "Field[object]", value: object, path: Path) -> Iterator[Problem]:
    form = FORMS[field.metadata["form"]]
    words = WORDS[field.metadata["form"]]
    if value in words:
        return
    if not isinstance(value, list) or not value:
        allowed = f"{', '.join(words)}, or a list of {form.allowed}"
        yield Problem(path, f"{_shown(value)} is wrong; allowed: {allowed}")
        return
    for number, item in enumerate(value):
        if not isinstance(item, str) or not form.check(item):
            yield Problem((*path, number), f"{_shown(item)} is wrong; allowed: {form.allowed}")


def _check_form(field: "Field[object]", value: str | int, path: Path) -> Iterator[Problem]:
    form = FORMS[field.metadata["form"]]
    if not form.check(value):
        yield Problem(path, f"{_shown_unless_secret(field, value)} is wrong; allowed: {form.allowed}")


def _without(document: Mapping[str, object], paths: list[Path]) -> object:
    """Copy tables without the keys that lead to these places, and without what is no table at all."""
    pruned = copy.deepcopy(dict(document))
    for path in paths:
        place: object = pruned
        owner: tuple[dict[str, object], str] | None = None
        for step in path:
            if isinstance(place, dict):
                owner = (place, str(step))
                place = place.get(str(step))
            elif isinstance(place, list) and isinstance(step, int) and step < len(place):
                place = place[step]
        if owner is not None:
            owner[0].pop(owner[1], None)
    return pruned


def _meaning(field: "Field[object]") -> str:
    form = FORMS[field.metadata["form"]]
    text = str(field.metadata["text"])
    return f"allowed: {form.allowed}" if form.allowed else f"{text[0].lower()}{text[1:]}"


def _shown_unless_secret(field: "Field[object]", value: object) -> str:
    return "the value (not shown)" if field.metadata["secret"] else _shown(value)


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."
