"""How a resource is described: as data, from which XML, JSON and the OpenAPI document are made."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias, Union

Value: TypeAlias = Union[str, int, float, bool, "Document", Sequence["Value"]]
Document: TypeAlias = Mapping[str, Value]
"""A resource's values by the names of its fields; what is absent is not shown."""


class Scalar(StrEnum):
    """A value without parts. Times are seconds since 1970 inside, ISO 8601 in XML, milliseconds in JSON."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True)
class Choice:
    """A word of a closed list."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Many:
    """A list: `tag` names each item in XML, and the list itself in JSON."""

    item: "Shape | Scalar"
    tag: str
    collection: str = ""
    """What the list is called in XML where it is the whole document."""


Kind: TypeAlias = "Scalar | Choice | Shape | Many"


@dataclass(frozen=True)
class Field:
    """One named value of a resource."""

    name: str
    kind: Kind
    about: str = ""
    link: str = ""
    """Without a value there is a link to it: its path below the resource's own."""
    on_request: bool = False
    """Shown only to who asks for all content."""


@dataclass(frozen=True)
class Shape:
    """A structure or a resource. What has an identity has `id` and `href`, attributes in XML."""

    tag: str
    fields: tuple[Field, ...]
    about: str = ""
    identified: bool = False
    links: tuple[tuple[str, str], ...] = ()
    """Further links: relation, and path below the resource's own."""
    actions: tuple[str, ...] = ()
    search: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What a search may name, and where the value is."""

    @functools.cached_property
    def linked(self) -> tuple[Field, ...]:
        """The fields that are links until somebody follows them."""
        return tuple(one for one in self.fields if one.link)

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """What a document of this shape may hold."""
        identity = ("id", "href") if self.identified else ()
        return frozenset((*(one.name for one in self.fields), *identity))


def text(name: str, about: str = "", *, on_request: bool = False) -> Field:
    """Describe a text."""
    return Field(name, Scalar.TEXT, about, on_request=on_request)


def integer(name: str, about: str = "") -> Field:
    """Describe a whole number."""
    return Field(name, Scalar.INTEGER, about)


def decimal(name: str, about: str = "") -> Field:
    """Describe a number."""
    return Field(name, Scalar.DECIMAL, about)


def boolean(name: str, about: str = "") -> Field:
    """Describe a yes or no."""
    return Field(name, Scalar.BOOLEAN, about)


def moment(name: str, about: str = "") -> Field:
    """Describe a point in time."""
    return Field(name, Scalar.TIME, about)


def choice(name: str, words: Sequence[str], about: str = "") -> Field:
    """Describe a word of a closed list."""
    return Field(name, Choice(tuple(words)), about)


def part(name: str, *fields: Field, about: str = "") -> Field:
    """Describe a structure that lies in another."""
    return Field(name, Shape(name, fields), about)


def reference(name: str, *fields: Field, about: str = "") -> Field:
    """Describe another resource by its identity alone, or by a few fields with it."""
    return Field(name, Shape(name, fields, identified=True), about)
