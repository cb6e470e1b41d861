"""What can be asked, as data: method, path, who may, what comes in and what goes out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.accounts import Account, Role
from engine.events import Actor
from engine.rest.bodies import read_scalar
from engine.rest.shapes import Choice, Document, Many, Scalar, Shape, Value
from nodelib.errors import InvalidInput

if TYPE_CHECKING:
    from engine.rest.services import Services

API_PATH = "/ovirt-engine/api"


@dataclass(frozen=True)
class Parameter:
    """A value of the query string."""

    name: str
    kind: Scalar | Choice
    about: str
    least: int | None = None
    required: bool = False


@dataclass(frozen=True)
class Plain:
    """An answer that is no resource."""

    body: bytes
    media_type: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request, understood."""

    services: "Services"
    path: Mapping[str, str]
    query: Mapping[str, Value]
    body: Document
    form: Mapping[str, str]
    address: str
    account: Account | None = None
    correlation: str = ""

    @property
    def actor(self) -> Actor:
        """Who is to be named in the log."""
        return Actor(self.account.principal if self.account else "nobody", self.correlation)

    def text(self, name: str) -> str:
        """Read a text of the query; empty without one."""
        return str(self.query.get(name, ""))

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Read a yes or no of the query."""
        return bool(self.query.get(name, default))

    def number(self, name: str) -> int | None:
        """Read a whole number of the query."""
        value = self.query.get(name)
        return value if isinstance(value, int) else None


Handler = Callable[[Call], Awaitable["Value | Plain"]]


@dataclass(frozen=True)
class Endpoint:
    """One thing that can be asked. Without a role everybody may; without a reply the answer is `Plain`."""

    method: str
    path: str
    role: Role | None
    handler: Handler
    about: str
    reply: Shape | Many | None = None
    parameters: tuple[Parameter, ...] = ()
    body: Shape | None = None
    form: tuple[str, ...] = ()
    """Names of the form fields that the body is made of instead."""
    media_type: str = ""
    """Of a plain answer."""


def read_query(parameters: tuple[Parameter, ...], given: Mapping[str, str]) -> dict[str, Value]:
    """Read the query string; what an endpoint has no parameter for is left out. Raises InvalidInput."""
    found: dict[str, Value] = {}
    problems: list[str] = []
    for one in parameters:
        if one.name not in given:
            if one.required:
                problems.append(f"{one.name}: missing")
            continue
        try:
            value = read_scalar(one.kind, given[one.name])
            if one.least is not None and isinstance(value, int | float) and value < one.least:
                raise ValueError(f"{one.least} or more")
            found[one.name] = value
        except ValueError as error:
            problems.append(f"{one.name}: {given[one.name][:60]!r} is not {error}")
    if problems:
        raise InvalidInput(problems)
    return found
