"""What the verbs of the command line share: whom they ask, and how they print."""

import argparse
import json
import os
import pwd
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from engine.administration import Administration
from engine.control import call_directly, call_engine
from engine.home import locked_home
from engine.nodes import Nodes
from engine.options import DEFAULT_HOME, ServeOptions, database_url
from engine.pki import Pki
from engine.store.database import open_store
from nodelib.codec import encode
from nodelib.link import Verb

if TYPE_CHECKING:
    Parsers: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]

Q = TypeVar("Q")
R = TypeVar("R")


def add_place(parser: argparse.ArgumentParser) -> None:
    """Let a verb be told which engine is meant."""
    parser.add_argument(
        "--home",
        type=Path,
        default=DEFAULT_HOME,
        metavar="DIR",
        help=f"the engine's folder (default: {DEFAULT_HOME})",
    )
    parser.add_argument(
        "--database", default="", metavar="URL", help="postgresql+psycopg://… instead of a file in the folder"
    )


def ask(arguments: argparse.Namespace, verb: Verb[Q, R], request: Q) -> R:
    """Ask the running engine, or do it on the database when none runs."""
    answer = call_engine(arguments.home, verb, request)
    if answer is not None:
        return answer
    with ExitStack() as stack:
        stack.enter_context(locked_home(arguments.home))

        def open_administration() -> Administration:
            store = open_store(database_url(ServeOptions(arguments.home, arguments.database)))
            stack.callback(store.close)
            pki = Pki(arguments.home)
            return Administration(arguments.home, store, pki, Nodes(store, pki), time.time)

        return call_directly(open_administration, verb, request)


def actor_name() -> str:
    """Name who types: a login's name, as the audit log shows it."""
    uid = os.getuid()
    try:
        return f"host:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"host:{uid}"


def time_text(seconds: float) -> str:
    """Write a time as a table shows it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def print_json(value: object) -> None:
    """Print a value for programs."""
    sys.stdout.write(json.dumps(encode(value), indent=2) + "\n")


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their heads, in columns."""
    sys.stdout.write("".join(f"{line}\n" for line in _table_lines([heads, *rows])))


def _table_lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
