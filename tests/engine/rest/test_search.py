"""oVirt's search language: what is found, and what is said about a bad question."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.rest.search import DEEPEST, LONGEST, PAGE_SIZE, Search, matches_pattern, parse_search
from engine.rest.shapes import Document
from nodelib.errors import Code, VirtnodeError

FIELDS = {
    "name": ("name",),
    "status": ("status",),
    "size": ("size",),
    "time": ("time",),
    "ready": ("ready",),
    "cluster": ("cluster", "name"),
}
DOCUMENTS: tuple[Document, ...] = (
    {"name": "web-1", "status": "up", "size": 1, "time": 0.0, "ready": True, "cluster": {"name": "east"}},
    {"name": "web-2", "status": "down", "size": 2, "time": 86400.0, "ready": False},
    {"name": "Big store", "status": "up", "size": 10, "cluster": {"name": "west"}},
    {"name": "a (b)", "status": "", "size": 1.5},
)


def find(text: str, most: int | None = None, *, case_sensitive: bool = True) -> list[object]:
    """Ask a question; tells the names of what is found."""
    search = parse_search(text, FIELDS, case_sensitive=case_sensitive)
    return [one["name"] for one in search.select(DOCUMENTS, most)]


EVERYTHING = ["web-1", "web-2", "Big store", "a (b)"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", EVERYTHING),
        ("   ", EVERYTHING),
        ("name=web-1", ["web-1"]),
        ("name = web-1", ["web-1"]),
        ("NAME=web-1", ["web-1"]),
        ("name=web*", ["web-1", "web-2"]),
        ("name=*1", ["web-1"]),
        ("name=*e*1", ["web-1"]),
        ("name!=web*", ["Big store", "a (b)"]),
        ('name="Big store"', ["Big store"]),
        ('name="a (b)"', ["a (b)"]),
        ("status=up and size=10", ["Big store"]),
        ("status=up size=10", ["Big store"]),
        ("status=down or size=10", ["web-2", "Big store"]),
        ("status=up and name=web* or size=2", ["web-1", "web-2"]),
        ("status=up and (name=web* or size=10)", ["web-1", "Big store"]),
        ("(name=web-1)", ["web-1"]),
        ("size > 1", ["web-2", "Big store", "a (b)"]),
        ("size >= 1.5 and size <= 2", ["web-2", "a (b)"]),
        ("size < 1.5", ["web-1"]),
        ("size=1.0", ["web-1"]),
        ("size=1*", ["web-1", "Big store", "a (b)"]),
        ("time >= 1970-01-02", ["web-2"]),
        ("time < 1970-01-01T12:00:00+00:00", ["web-1"]),
        ("ready=true", ["web-1"]),
        ("ready=false", ["web-2"]),
        ("cluster=west", ["Big store"]),
        ('cluster=""', ["web-2", "a (b)"]),
        ("status!=up and cluster!=east", ["web-2", "a (b)"]),
        ("store", ["Big store"]),
        ("*store", ["Big store"]),
        ("east", ["web-1"]),
        ("sortby size", ["web-1", "a (b)", "web-2", "Big store"]),
        ("sortby size desc", ["Big store", "web-2", "a (b)", "web-1"]),
        ("sortby name asc", ["a (b)", "Big store", "web-1", "web-2"]),
        ("name=web* sortby size desc", ["web-2", "web-1"]),
        ("sortby time", ["Big store", "a (b)", "web-1", "web-2"]),
        ("page 1", EVERYTHING),
        ("page 2", []),
        ("name=web* page 1", ["web-1", "web-2"]),
    ],
)
def test_a_question_finds(text: str, names: list[str]) -> None:
    """Each part of the language does what oVirt's users know."""
    assert find(text) == names


def test_pages_are_as_long_as_the_list_may_be() -> None:
    """With a limit, pages follow one another."""
    assert [find(f"sortby name page {page}", 3) for page in (1, 2, 3)] == [
        ["a (b)", "Big store", "web-1"],
        ["web-2"],
        [],
    ]
    assert find("", 0) == []


def test_capitals_matter_when_asked_to() -> None:
    """By default they do, as in oVirt."""
    assert find("name=BIG*") == []
    assert find("name=BIG*", case_sensitive=False) == ["Big store"]
    assert find("STORE", case_sensitive=False) == ["Big store"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour=red", "cannot search for 'colour'"),
        ("sortby colour", "cannot search for 'colour'"),
        ("name=", "ends too early"),
        ("name= and", "name = what?"),
        ("=up", "'=' does not belong there"),
        ("name==up", "name = what?"),
        ("(name=up", "not closed"),
        ("name=up)", "does not belong there"),
        ("name=up and", "ends too early"),
        ("or", "'or' does not belong there"),
        ("name=up or sortby name", "'sortby' does not belong there"),
        ("size > big", "neither a number nor a time"),
        ("page 0", "counted from 1"),
        ("page many", "counted from 1"),
        ("page 1 name=up", "does not belong there"),
        ("sortby", "ends too early"),
        ('name="up', "not understood at"),
        ("(" * (DEEPEST + 1) + "name=up" + ")" * (DEEPEST + 1), "parentheses within"),
        ("x" * (LONGEST + 1), "at most 1000 characters"),
    ],
)
def test_a_bad_question_is_explained(text: str, words: str) -> None:
    """One line says where it goes wrong."""
    with pytest.raises(VirtnodeError, match=words) as caught:
        find(text)
    assert caught.value.code is Code.INVALID
    assert "\n" not in caught.value.message


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from([*'name=status<>!=()" *', "and", "or", "sortby", "page", "web", "1", "\n"])))
def test_no_question_breaks_the_parser(pieces: Sequence[str]) -> None:
    """Whatever is asked is answered or refused."""
    refused: set[Code] = set()
    try:
        assert isinstance(parse_search("".join(pieces), FIELDS), Search)
    except VirtnodeError as error:
        refused.add(error.code)
    assert refused <= {Code.INVALID}


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_patterns_are_matched_like_the_slow_way(pattern: str, text: str) -> None:
    """The quick way of matching agrees with trying everything."""

    def slow(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return slow(pattern[1:], text) or bool(text and slow(pattern, text[1:]))
        return bool(text) and pattern[0] == text[0] and slow(pattern[1:], text[1:])

    assert matches_pattern(text, pattern) is slow(pattern, text)


@pytest.mark.parametrize(
    ("text", "most", "enough"),
    [
        ("", 20, 20),
        ("page 3", 20, 60),
        ("page 2", None, 2 * PAGE_SIZE),
        ("", None, None),
        ("sortby name", 20, None),
        ("name=a*", 20, None),
    ],
)
def test_only_what_the_answer_needs_is_read(text: str, most: int | None, enough: int | None) -> None:
    """Without a condition or an order the first documents are enough; else it may take all of them."""
    assert parse_search(text, FIELDS).enough(most) == enough
