"""Dataclasses to JSON and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from nodelib.codec import decode, decode_lenient, encode, from_json, parse_json, to_json
from nodelib.errors import Code, InvalidInput, VirtnodeError


class Colour(StrEnum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    """A part."""

    name: str
    size: float = 0.0


@dataclass(frozen=True)
class Outer:
    """Every kind of field there is."""

    count: int
    colour: Colour = Colour.RED
    parts: tuple[Inner, ...] = ()
    pair: tuple[str, int] | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)


WHOLE = Outer(3, Colour.BLUE, (Inner("a", 1.5), Inner("b")), ("x", 1), {"on": True})


def test_what_was_written_is_read() -> None:
    """Nothing is lost on the way."""
    assert from_json(Outer, to_json(WHOLE)) == WHOLE
    assert json.loads(to_json(WHOLE)) == encode(WHOLE)


def test_defaults_may_be_absent() -> None:
    """Only what has no default must be there."""
    assert decode(Outer, {"count": 1}) == Outer(1)


def test_every_problem_is_named_with_its_path() -> None:
    """One run finds all of them."""
    document = {
        "count": True,
        "colour": "green",
        "parts": [{"name": 1, "size": "big"}, {}],
        "pair": ["x"],
        "flags": {"on": 1},
        "extra": 0,
    }
    with pytest.raises(InvalidInput) as caught:
        decode(Outer, document)
    assert caught.value.problems == (
        "extra: unknown; known are count, colour, parts, pair, flags",
        "count: true is not a whole number",
        "colour: 'green' is not one of red, blue",
        "parts[0].name: 1 is not text",
        'parts[0].size: "big" is not a number',
        "parts[1].name: missing",
        "pair: 1 items, not 2",
        "flags.on: 1 is not true or false",
    )


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_a_document_of_another_shape_is_told(document: object) -> None:
    """What is no table at all has one problem."""
    with pytest.raises(InvalidInput, match=r"the document: .* is not a table"):
        decode(Outer, document)


def test_a_newer_peer_may_say_more() -> None:
    """Unknown fields are left out where the writer may be newer; wrong ones are still wrong."""
    assert decode_lenient(Outer, {"count": 1, "later": 2, "parts": [{"name": "a", "new": 1}]}) == Outer(
        1, parts=(Inner("a"),)
    )
    with pytest.raises(InvalidInput, match="count: missing"):
        decode_lenient(Outer, {"later": 2})


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a": Infinity}', "[" * 100_000])
def test_what_is_not_json_is_told(text: str) -> None:
    """Neither a constant that JSON lacks nor a deep nest gets past."""
    with pytest.raises(VirtnodeError, match="not JSON") as caught:
        parse_json(text)
    assert caught.value.code is Code.INVALID


def test_a_number_that_no_float_holds_is_refused() -> None:
    """What would be written as Infinity never gets in."""
    with pytest.raises(VirtnodeError, match="1e999 is too large"):
        parse_json('{"load": 1e999}')
