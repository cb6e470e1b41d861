"""virtnodectl: the agent's command line."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO, TypeVar

from nodeagent.bus_client import BusClient
from nodeagent.control_text import changes_text, config_text, status_text
from nodeagent.controls.access import add_access_verbs, unlock
from nodeagent.controls.guests import add_guests_verbs
from nodeagent.controls.install import add_install_verbs
from nodeagent.controls.network import add_network_verbs
from nodeagent.controls.storage import add_storage_verbs
from nodeagent.controls.support import add_support_verbs
from nodeagent.controls.system import add_system_verbs
from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodeagent.controls.update import add_update_verbs
from nodeagent.patch_file import PatchFile, read_patch
from nodeagent.place_commands import COMMANDS
from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CHECK,
    CONFIG_CONFIRM,
    CONFIG_PLAN,
    CONFIG_REVERT,
    CONFIG_SHOW,
    FACTS,
    JOIN,
    LADDER,
    LEAVE,
    NEW_KEY,
    STATUS,
    CheckRequest,
    JoinRequest,
    PlanRequest,
    RevertRequest,
)
from nodelib.codec import encode, to_json
from nodelib.errors import Code, InvalidInput, VirtnodeError, exit_status
from nodelib.link import ApplyRequest, ConfirmRequest, Nothing, Verb
from nodelib.places import word_places

Q = TypeVar("Q")
R = TypeVar("R")
INTERRUPTED = 130


def main() -> int:
    """Run virtnodectl; returns the exit status."""
    return run_control(sys.argv[1:], sys.stdout, sys.stderr, sys.stdin)


def run_control(argv: Sequence[str], out: TextIO, errors: TextIO, stdin: TextIO) -> int:
    """Do what a command line asks: 0 done, 1 failed, 2 wrong input; a failure is one line and a hint."""
    try:
        found = make_parser().parse_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    client = BusClient(found.bus)
    terminal = Terminal(client, out, stdin)
    try:
        verb: Callable[[argparse.Namespace, Terminal], None] = found.run
        if found.unlock:
            unlock(terminal)
        verb(found, terminal)
        out.flush()
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except VirtnodeError as error:
        errors.write(f"virtnodectl: {error.message}\n")
        if error.hint:
            errors.write(f"  hint: {word_places(error.hint, COMMANDS)}\n")
        return exit_status(error.code)
    finally:
        client.close()
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(prog="virtnodectl", description="Look at this node, and change it.")
    parser.add_argument("--bus", default="", help=argparse.SUPPRESS)
    parser.add_argument(
        "--unlock", action="store_true", help="ask for the administrator's password first; root needs none"
    )
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    status = add_verb(verbs, "status", run_status, "show how the node stands, and what keeps it from joining")
    status.add_argument("--json", action="store_true", help="print status and ladder as JSON")
    facts = add_verb(verbs, "facts", run_facts, "print what was found out about this machine, as JSON")
    facts.set_defaults(json=True)
    _add_config(verbs)
    join = add_verb(verbs, "join", run_join, "join an engine")
    join.add_argument("address", metavar="HOST", help="the engine's address: HOST or HOST:PORT")
    join.add_argument(
        "--ca",
        action="append",
        default=[],
        metavar="PIN",
        help="the pin of the engine's certificate authority, sha256:HEX; may be given again",
    )
    join.add_argument(
        "--token",
        nargs="?",
        const="-",
        default="",
        help="a join token; - reads it from standard input",
    )
    add_verb(verbs, "leave", run_leave, "leave the engine")
    add_verb(verbs, "new-key", run_new_key, "make another key, and ask the engine to be let in with it")
    for add_verbs in (
        add_access_verbs,
        add_network_verbs,
        add_storage_verbs,
        add_guests_verbs,
        add_support_verbs,
        add_system_verbs,
        add_install_verbs,
        add_update_verbs,
    ):
        add_verbs(verbs)
    return parser


def _add_config(verbs: Verbs) -> None:
    config = verbs.add_parser("config", help="look at the configuration, and change it")
    deeds = config.add_subparsers(metavar="DEED", required=True)
    show = add_verb(deeds, "show", run_show, "show what is in force, and where each key came from")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    check = add_verb(deeds, "check", run_check, "tell all that is wrong with a node.toml")
    plan = add_verb(deeds, "plan", run_plan, "tell what the keys of a file would change")
    apply = add_verb(
        deeds, "apply", run_apply, "apply the keys of a file, until they are confirmed or put back"
    )
    for verb in (check, plan, apply):
        verb.add_argument("file", metavar="FILE", help="TOML; - reads standard input")
    apply.add_argument(
        "--window", type=float, default=60.0, metavar="SECONDS", help="time to confirm (default: 60)"
    )
    confirm = add_verb(deeds, "confirm", run_confirm, "keep what was applied")
    confirm.add_argument("ticket", nargs="?", default="", help="the ticket that apply printed")
    revert = add_verb(deeds, "revert", run_revert, "put back what was applied")
    revert.add_argument("ticket", nargs="?", default="", help="the ticket that apply printed")


def run_status(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show how the node stands."""
    status = terminal.client.call(STATUS, Nothing())
    ladder = terminal.client.call(LADDER, Nothing())
    if found.json:
        terminal.say(to_json({"status": encode(status), "ladder": encode(ladder.rungs)}))
    else:
        terminal.say(status_text(status, ladder.rungs))


def run_facts(found: argparse.Namespace, terminal: Terminal) -> None:
    """Print the facts."""
    terminal.say(to_json(terminal.client.call(FACTS, Nothing())))


def run_show(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the configuration."""
    view = terminal.client.call(CONFIG_SHOW, Nothing())
    terminal.say(to_json(view) if found.json else config_text(view))


def run_check(found: argparse.Namespace, terminal: Terminal) -> None:
    """Check a file."""
    reply = terminal.client.call(CONFIG_CHECK, CheckRequest(_read(found.file, terminal)))
    if reply.problems:
        raise InvalidInput(list(reply.problems), "docs/node-toml.md explains every key")
    terminal.say("nothing is wrong with it")


def run_plan(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show what a file would change."""
    file = _read_patch(found.file, terminal)
    reply = _call_with(file, terminal, CONFIG_PLAN, PlanRequest(file.patch))
    terminal.say(changes_text(reply.changes))


def run_apply(found: argparse.Namespace, terminal: Terminal) -> None:
    """Apply a file."""
    file = _read_patch(found.file, terminal)
    reply = _call_with(file, terminal, CONFIG_APPLY, ApplyRequest(file.patch, found.window))
    terminal.say(changes_text(reply.changes))
    if reply.ticket:
        how = f"virtnodectl config confirm {reply.ticket}"
        terminal.say(f"It goes back in {found.window:g} s unless you confirm: {how}")


def run_confirm(found: argparse.Namespace, terminal: Terminal) -> None:
    """Keep what was applied."""
    ticket = found.ticket or _pending_ticket(terminal)
    terminal.client.call(CONFIG_CONFIRM, ConfirmRequest(ticket))
    terminal.say("confirmed")


def run_revert(found: argparse.Namespace, terminal: Terminal) -> None:
    """Put back what was applied."""
    terminal.client.call(CONFIG_REVERT, RevertRequest(found.ticket))
    terminal.say("put back")


def run_join(found: argparse.Namespace, terminal: Terminal) -> None:
    """Join an engine."""
    token = terminal.stdin.readline().strip() if found.token == "-" else found.token
    terminal.client.call(JOIN, JoinRequest(found.address, tuple(found.ca), token))
    status = terminal.client.call(STATUS, Nothing())
    terminal.say(f"On the way to {found.address}; virtnodectl status shows how far it gets.")
    terminal.say(f"approval code  {status.approval_code}\nfingerprint    {status.fingerprint}")


def run_leave(found: argparse.Namespace, terminal: Terminal) -> None:
    """Leave the engine."""
    terminal.client.call(LEAVE, Nothing())
    terminal.say("left; the engine still lists this node until somebody removes it there")


def run_new_key(found: argparse.Namespace, terminal: Terminal) -> None:
    """Make another key."""
    terminal.client.call(NEW_KEY, Nothing())
    status = terminal.client.call(STATUS, Nothing())
    terminal.say("This node has another key; to its engine it is another node until that is told otherwise.")
    terminal.say(f"approval code  {status.approval_code}\nfingerprint    {status.fingerprint}")


def _pending_ticket(terminal: Terminal) -> str:
    pending = terminal.client.call(STATUS, Nothing()).pending
    if pending is None:
        raise VirtnodeError(
            Code.NOT_FOUND, "nothing waits for a confirmation", "it was confirmed or put back"
        )
    return pending.ticket


def _read(name: str, terminal: Terminal) -> str:
    if name == "-":
        return terminal.stdin.read()
    try:
        return Path(name).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise VirtnodeError(Code.INVALID, f"{name} cannot be read: {error}") from error


def _read_patch(name: str, terminal: Terminal) -> PatchFile:
    return read_patch("standard input" if name == "-" else name, _read(name, terminal))


def _call_with(file: PatchFile, terminal: Terminal, verb: Verb[Q, R], request: Q) -> R:
    """Ask the agent for something with a file; what is wrong with it is told with its lines."""
    try:
        return terminal.client.call(verb, request)
    except InvalidInput as error:
        raise file.explain(error) from error


if __name__ == "__main__":
    sys.exit(main())
