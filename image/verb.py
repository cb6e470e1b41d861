"""How a verb of virtnode-image runs and ends: its log, its signals, and what a failure says."""

import argparse
import errno
import logging
import signal
from collections.abc import Callable, Sequence
from types import FrameType

from image.progress import print_lines
from nodelib.errors import Code, InvalidInput, VirtnodeError, exit_status


def run_verb(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> int:
    """Run one verb and return the exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    arguments = parser.parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.DEBUG if arguments.verbose else logging.INFO)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        verb: Callable[[argparse.Namespace], int] = arguments.verb
        return verb(arguments)
    except InvalidInput as error:
        print_lines([*error.problems, *_hint(error.hint)])
        return exit_status(error.code)
    except VirtnodeError as error:
        print_lines([f"error: {error.message}", *_hint(error.hint)])
        return exit_status(error.code)
    except KeyboardInterrupt:
        print_lines(["interrupted: nothing was left half done"])
        return 130
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print_lines(
            [f"error: the disk is full: {error.filename or 'no space is left'}", *_hint("free some space")]
        )
        return exit_status(Code.FAILED)


def _hint(text: str) -> list[str]:
    return [f"hint: {text}"] if text else []


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Once is enough: what the interruption cleans up shall not be interrupted by an impatient second one.
    for repeated in (signal.SIGINT, signal.SIGTERM):
        signal.signal(repeated, signal.SIG_IGN)
    raise KeyboardInterrupt
