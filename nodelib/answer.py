"""What is asked of a `node.toml` before there is a node: whether it is right, and what it is with more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class AnswerRequest:
    """A document, the name to call it by in problems, and the keys that options lay over it."""

    text: str
    name: str = "node.toml"
    patch: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AnswerReply:
    """All that is wrong, or the document: whole as TOML, and for people without its secrets."""

    problems: tuple[str, ...] = ()
    text: str = ""
    shown: Mapping[str, Any] = field(default_factory=dict)
