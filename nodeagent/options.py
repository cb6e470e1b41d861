"""The agent's own command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """What was asked of the daemon."""

    root: Path = Path("/")
    bus: str = ""
    """The address of a bus; empty for the system's."""
    verbose: bool = False


def read_options(argv: Sequence[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="virtnode-agent", description="Keeps this node as it is meant to be, and joined to its engine."
    )
    parser.add_argument("--root", type=Path, default=Path("/"), help="another root folder, for trials")
    parser.add_argument("--bus", default="", metavar="ADDRESS", help="another bus than the system's")
    parser.add_argument("--verbose", action="store_true", help="log what is done in detail")
    found = parser.parse_args(argv)
    return Options(found.root, found.bus, found.verbose)
