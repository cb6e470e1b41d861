"""How fast each medium starts: `python -m bench.boots OUT`, the folder of a finished build.

Or `--verdicts FILE`: what `virtnode-image verify --json OUT` has printed, which boots nothing.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from image.accelerator import choose_accelerator
from image.verify.runner import verify_artefacts
from image.verify.table import verdicts_json

HEADER = ("medium", "to prompt, s", "to libvirt, s", "memory in use, MiB", "whole run, s", "verdict")


@dataclass(frozen=True)
class Boot:
    """How one medium started; seconds count from the kernel's start, None is what the node did not say."""

    medium: str
    passed: bool
    prompt: float | None
    libvirt: float | None
    memory: float | None
    whole: float | None
    """Seconds of the host, from the machine's start to its end."""


def main() -> None:
    """Boot, or read, and print the table."""
    arguments = parse_arguments()
    print_machine()
    if arguments.verdicts:
        text = arguments.verdicts.read_text()
    else:
        print(f"emulation: {choose_accelerator().name}\n", flush=True)
        verdicts = verify_artefacts(arguments.out, media=arguments.medium, jobs=arguments.jobs)
        text = verdicts_json(verdicts)
    print(boots_table(parse_verdicts(json.loads(text))))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.boots", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("out", type=Path, nargs="?", help="the folder of a finished build, or one artefact")
    source.add_argument("--verdicts", type=Path, metavar="FILE")
    parser.add_argument("--medium", nargs="+", default=(), metavar="NAME", help="rows of verify's matrix")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="machines at a time (default: 1)")
    return parser.parse_args()


def parse_verdicts(document: Sequence[Mapping[str, object]]) -> list[Boot]:
    """Read the JSON of verify's verdicts."""
    return [
        Boot(
            medium=str(verdict["medium"]),
            passed=verdict["passed"] is True,
            prompt=_number(verdict["seconds_to_prompt"]),
            libvirt=_number(verdict["seconds_to_libvirt"]),
            memory=_number(verdict["memory_mib"]),
            whole=_number(verdict["seconds"]),
        )
        for verdict in document
    ]


def boots_table(boots: Sequence[Boot]) -> str:
    """Draw a row for each medium."""
    return markdown_table(HEADER, [_row(boot) for boot in boots])


def _row(boot: Boot) -> list[str]:
    numbers = (boot.prompt, boot.libvirt, boot.memory, boot.whole)
    cells = ["-" if number is None else f"{number:.0f}" for number in numbers]
    return [boot.medium, *cells, "pass" if boot.passed else "FAIL"]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


if __name__ == "__main__":
    main()
