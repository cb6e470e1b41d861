"""What every verb of virtnodectl works with: where it reads and writes, and how it is described."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO, TypeAlias

from nodeagent.bus_client import BusClient
from nodeagent.place_commands import COMMANDS
from nodelib.places import word_places

Verbs: TypeAlias = Any
"""What `add_subparsers` returns; argparse has no public name for it."""


@dataclass(frozen=True)
class Terminal:
    """Where a verb reads and writes, and the agent that it asks."""

    client: BusClient
    out: TextIO
    stdin: TextIO

    def write(self, text: str) -> None:
        """Print data as it is: a log may hold what looks like a place."""
        self.out.write(f"{text}\n" if text and not text.endswith("\n") else text)

    def say(self, text: str) -> None:
        """Print a text, with a command for each place that it names."""
        self.write(word_places(text, COMMANDS))


def add_verb(
    verbs: Verbs, name: str, function: Callable[[argparse.Namespace, Terminal], None], text: str
) -> argparse.ArgumentParser:
    """Describe a verb that `function` does."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(run=function)
    return parser
