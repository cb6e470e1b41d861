"""virtnode-engine: the command line."""

import argparse
import asyncio
import getpass
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import administration as verbs
from engine import archive_verbs, update_commands, user_verbs
from engine.administration import OnNode
from engine.backup import restore_backup
from engine.command_line import actor_name, add_place, ask, print_json, print_table, time_text
from engine.durations import read_duration
from engine.node_commands import run_nodes_show
from engine.options import ServeOptions
from engine.process import allow_many_files, collect_seldom, keep_connections_small
from engine.serve import serve
from engine.simulate import Live, SimulateOptions, report_lines, simulate
from nodelib.errors import Code, InvalidInput, VirtnodeError, exit_status
from nodelib.link import LINK_PORT, REST_PORT, Nothing, Verb

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from engine.command_line import Parsers


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    arguments = make_parser().parse_args(argv)
    logging.basicConfig(
        format="%(levelname)s %(name)s: %(message)s",
        level=logging.DEBUG if arguments.verbose else logging.INFO,
    )
    # Every connection and its end would be a line.
    logging.getLogger("websockets").setLevel(logging.WARNING)
    try:
        verb: Callable[[argparse.Namespace], None] = arguments.verb
        verb(arguments)
    except VirtnodeError as error:
        return _complain(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the list has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _complain(error: VirtnodeError) -> int:
    lines = list(error.problems) if isinstance(error, InvalidInput) else [f"error: {error.message}"]
    if error.hint:
        lines.append(f"hint: {error.hint}")
    sys.stderr.write("\n".join([*lines, ""]))
    return exit_status(error.code)


def make_parser() -> argparse.ArgumentParser:
    """Describe every verb and option."""
    parser = argparse.ArgumentParser(
        prog="virtnode-engine", description="Join virtnode nodes, and serve them to people and tools."
    )
    parser.add_argument("--verbose", action="store_true", help="log more")
    parsers = parser.add_subparsers(required=True, metavar="VERB")
    _add_serve(parsers)
    _add_tokens(parsers)
    _add_nodes(parsers)
    update_commands.add_images(parsers)
    update_commands.add_roll(parsers)
    _add_archives(parsers)
    _add_users(parsers)
    _add_authority(parsers)
    _add_settings(parsers)
    _add_backup(parsers)
    _add_simulate(parsers)
    return parser


def _add_serve(parsers: "Parsers") -> None:
    parser = parsers.add_parser("serve", help="run the engine")
    add_place(parser)
    add = parser.add_argument
    add("--listen", default="", metavar="HOST", help="address to listen on (default: all)")
    add(
        "--link-port", type=_port, default=LINK_PORT, metavar="PORT", help=f"for nodes (default: {LINK_PORT})"
    )
    add(
        "--rest-port",
        type=_port,
        default=REST_PORT,
        metavar="PORT",
        help=f"for people (default: {REST_PORT})",
    )
    add(
        "--name",
        action="append",
        default=[],
        metavar="NAME",
        help="name or address that the engine is reached by, for its certificate; may be repeated",
    )
    parser.set_defaults(verb=run_serve)


def _add_tokens(parsers: "Parsers") -> None:
    inner = parsers.add_parser("token", help="join tokens").add_subparsers(required=True, metavar="VERB")
    create = inner.add_parser("create", help="make one, and show it this once")
    create.add_argument("--uses", type=int, default=1, metavar="N", help="for how many nodes (default: 1)")
    create.add_argument("--expires", default="24h", metavar="TIME", help="90s, 30m, 24h, 7d (default: 24h)")
    revoke = inner.add_parser("revoke", help="let one let nobody in any more")
    revoke.add_argument("id", help="its public name, as listed")
    listing = inner.add_parser("list", help="show all, without their secrets")
    for parser, verb in ((create, run_token_create), (listing, run_token_list), (revoke, run_token_revoke)):
        add_place(parser)
        parser.set_defaults(verb=verb)
    for parser in (create, listing):
        parser.add_argument("--json", action="store_true", help="as JSON")


def _add_nodes(parsers: "Parsers") -> None:
    inner = parsers.add_parser("nodes", help="the nodes").add_subparsers(required=True, metavar="VERB")
    listing = inner.add_parser("list", help="show all")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(verb=run_nodes_list)
    add_place(listing)
    show = inner.add_parser("show", help="show one: its key, its machine, its state and what to do")
    show.add_argument("node", metavar="CODE", help="approval code, identifier or name")
    show.add_argument("--json", action="store_true", help="as JSON")
    show.set_defaults(verb=run_nodes_show)
    add_place(show)
    update_commands.add_updates(inner)
    about = {
        "approve": "let a waiting node in",
        "reject": "refuse a waiting node until it is removed",
        "remove": "forget a node",
        "revoke": "let a node's certificates and key be good no more",
        "activate": "end a node's maintenance",
        "deactivate": "put a node into maintenance",
        "reboot": "have a node reboot, and expect it back",
    }
    for name, words in about.items():
        parser = inner.add_parser(name, help=words)
        parser.add_argument("node", metavar="CODE", help="approval code, identifier or name")
        parser.set_defaults(verb=run_on_node, action=name, replace=False, reason="")
        add_place(parser)
        if name == "approve":
            parser.add_argument(
                "--replace", action="store_true", help="in the place of the node whose hardware it shows"
            )
        if name == "reject":
            parser.add_argument("--reason", default="", help="one sentence for the node's console")


def _add_archives(parsers: "Parsers") -> None:
    inner = parsers.add_parser("archives", help="support archives that nodes sent").add_subparsers(
        required=True, metavar="VERB"
    )
    listing = inner.add_parser("list", help="show all, the latest first")
    listing.add_argument("--json", action="store_true", help="as JSON")
    save = inner.add_parser("save", help="write one into a file")
    remove = inner.add_parser("remove", help="remove one")
    for parser, verb in (
        (listing, run_archives_list),
        (save, run_archives_save),
        (remove, run_archives_remove),
    ):
        parser.set_defaults(verb=verb)
        if parser is not listing:
            parser.add_argument("id", metavar="ID", help="its identifier, as listed")
        add_place(parser)
    save.add_argument("file", type=Path, metavar="FILE")


def _add_users(parsers: "Parsers") -> None:
    inner = parsers.add_parser("user", help="who may use the engine").add_subparsers(
        required=True, metavar="VERB"
    )
    listing = inner.add_parser("list", help="show all")
    add = inner.add_parser("add", help="add one; its password is asked for, or read from standard input")
    password = inner.add_parser("password", help="change a password; it is asked for, or read")
    remove = inner.add_parser("remove", help="remove one, and end its sessions")
    for parser, verb in (
        (listing, run_user_list),
        (add, run_user_add),
        (password, run_user_password),
        (remove, run_user_remove),
    ):
        parser.set_defaults(verb=verb)
        add_place(parser)
        if parser is not listing:
            parser.add_argument("name")
    listing.add_argument("--json", action="store_true", help="as JSON")
    add.add_argument(
        "--role",
        default="viewer",
        metavar="ROLE",
        help="metrics, viewer, operator or administrator (default: viewer)",
    )


def _add_authority(parsers: "Parsers") -> None:
    inner = parsers.add_parser("ca", help="the certificate authority").add_subparsers(
        required=True, metavar="VERB"
    )
    about = {
        "show": "show the authorities that are trusted, and their pins",
        "stage": "make the next authority, and have nodes trust it",
        "activate": "let the next authority issue",
        "retire": "trust the former authority no longer",
    }
    for name, words in about.items():
        parser = inner.add_parser(name, help=words)
        parser.add_argument("--json", action="store_true", help="as JSON")
        parser.set_defaults(verb=run_authority, step=name, force=False)
        add_place(parser)
        if name == "retire":
            parser.add_argument("--force", action="store_true", help="even if nodes still need it")


def _add_settings(parsers: "Parsers") -> None:
    inner = parsers.add_parser("settings", help="what may be changed while the engine runs").add_subparsers(
        required=True, metavar="VERB"
    )
    show = inner.add_parser("show", help="show all")
    change = inner.add_parser("set", help="change one")
    change.add_argument("name")
    change.add_argument("value")
    for parser, verb in ((show, run_settings_show), (change, run_settings_set)):
        parser.add_argument("--json", action="store_true", help="as JSON")
        parser.set_defaults(verb=verb)
        add_place(parser)


def _add_backup(parsers: "Parsers") -> None:
    backup = parsers.add_parser("backup", help="write all that the engine knows into one file")
    restore = parsers.add_parser("restore", help="put a backup in the place of what the engine knows")
    for parser, verb in ((backup, run_backup), (restore, run_restore)):
        parser.add_argument("file", type=Path)
        parser.set_defaults(verb=verb)
        add_place(parser)


def _add_simulate(parsers: "Parsers") -> None:
    parser = parsers.add_parser("simulate", help="be many nodes, and measure the engine")
    add = parser.add_argument
    add("--engine", required=True, metavar="HOST:PORT")
    add("--pin", required=True, metavar="sha256:…")
    add("--token", required=True)
    add("--nodes", type=int, default=100, metavar="N")
    add("--seconds", type=float, default=60.0, metavar="S")
    add(
        "--updates",
        default="",
        choices=("succeed", "roll-back", "fail"),
        metavar="END",
        help="take updates, and let them succeed, roll-back or fail",
    )
    add("--at-once", type=int, default=50, metavar="N", help="how many register at the same time")
    add("--json", action="store_true", help="as JSON")
    parser.set_defaults(verb=run_simulate)


def run_serve(arguments: argparse.Namespace) -> None:
    """Run the engine until it is told to stop."""
    serve(
        ServeOptions(
            arguments.home,
            arguments.database,
            arguments.listen,
            arguments.link_port,
            arguments.rest_port,
            tuple(arguments.name),
        )
    )


def run_token_create(arguments: argparse.Namespace) -> None:
    """Make a token, and print nothing else on standard output, for scripts."""
    request = verbs.CreateToken(actor_name(), arguments.uses, read_duration(arguments.expires))
    made = ask(arguments, verbs.TOKEN_CREATE, request)
    if arguments.json:
        print_json(made)
        return
    sys.stdout.write(f"{made.token}\n")
    sys.stderr.write(f"for {made.uses} nodes, until {time_text(made.expires)}; it is not shown again\n")


def run_token_list(arguments: argparse.Namespace) -> None:
    """List tokens."""
    lines = ask(arguments, verbs.TOKEN_LIST, Nothing()).tokens
    if arguments.json:
        print_json(lines)
        return
    rows = [
        (
            one.id,
            f"{one.used}/{one.uses}",
            time_text(one.expires),
            one.created_by,
            "revoked" if one.revoked else "",
        )
        for one in lines
    ]
    print_table(("TOKEN", "USED", "EXPIRES", "MADE BY", ""), rows)


def run_token_revoke(arguments: argparse.Namespace) -> None:
    """Revoke a token."""
    ask(arguments, verbs.TOKEN_REVOKE, OnNode(actor_name(), arguments.id))


def run_nodes_list(arguments: argparse.Namespace) -> None:
    """List nodes."""
    nodes = ask(arguments, verbs.NODES_LIST, Nothing()).nodes
    if arguments.json:
        print_json(nodes)
        return
    rows = [(one.name, one.state, one.code, one.address, one.reason, one.action) for one in nodes]
    print_table(("NAME", "STATE", "CODE", "ADDRESS", "REASON", "DO"), rows)


def run_on_node(arguments: argparse.Namespace) -> None:
    """Decide something about one node."""
    by_name: dict[str, Verb[OnNode, Any]] = {
        "approve": verbs.NODES_APPROVE,
        "reject": verbs.NODES_REJECT,
        "remove": verbs.NODES_REMOVE,
        "revoke": verbs.NODES_REVOKE,
        "activate": verbs.NODES_ACTIVATE,
        "deactivate": verbs.NODES_DEACTIVATE,
        "reboot": verbs.NODES_REBOOT,
    }
    request = OnNode(actor_name(), arguments.node, arguments.replace, arguments.reason)
    node = ask(arguments, by_name[arguments.action], request)
    if isinstance(node, verbs.NodeLine):
        sys.stdout.write(f"{node.name} is {node.state}{': ' if node.reason else ''}{node.reason}\n")


def run_archives_list(arguments: argparse.Namespace) -> None:
    """List support archives."""
    archives = ask(arguments, archive_verbs.ARCHIVES_LIST, Nothing()).archives
    if arguments.json:
        print_json(archives)
        return
    rows = [
        (one.id, one.node, f"{one.size_bytes / (1 << 20):.1f} MiB", time_text(one.time)) for one in archives
    ]
    print_table(("ARCHIVE", "NODE", "SIZE", "CAME"), rows)


def run_archives_save(arguments: argparse.Namespace) -> None:
    """Write a support archive into a file."""
    request = archive_verbs.OnArchive(actor_name(), arguments.id, str(arguments.file.absolute()))
    ask(arguments, archive_verbs.ARCHIVES_SAVE, request)


def run_archives_remove(arguments: argparse.Namespace) -> None:
    """Remove a support archive."""
    ask(arguments, archive_verbs.ARCHIVES_REMOVE, archive_verbs.OnArchive(actor_name(), arguments.id))


def run_user_list(arguments: argparse.Namespace) -> None:
    """List accounts."""
    users = ask(arguments, user_verbs.USER_LIST, Nothing()).users
    if arguments.json:
        print_json(users)
        return
    rows = [
        (
            one.name,
            one.role,
            time_text(one.created_at),
            time_text(one.last_login) if one.last_login else "never",
        )
        for one in users
    ]
    print_table(("NAME", "ROLE", "ADDED", "LAST LOGIN"), rows)


def run_user_add(arguments: argparse.Namespace) -> None:
    """Add an account."""
    request = user_verbs.AddUser(actor_name(), arguments.name, arguments.role, _read_password())
    ask(arguments, user_verbs.USER_ADD, request)


def run_user_password(arguments: argparse.Namespace) -> None:
    """Change a password."""
    request = user_verbs.OnUser(actor_name(), arguments.name, _read_password())
    ask(arguments, user_verbs.USER_PASSWORD, request)


def run_user_remove(arguments: argparse.Namespace) -> None:
    """Remove an account."""
    ask(arguments, user_verbs.USER_REMOVE, user_verbs.OnUser(actor_name(), arguments.name))


def run_authority(arguments: argparse.Namespace) -> None:
    """Show the authorities, or go one step on with their change."""
    if arguments.step == "show":
        shown = ask(arguments, verbs.CA_SHOW, Nothing())
    else:
        request = verbs.ChangeAuthority(actor_name(), arguments.step, arguments.force)
        shown = ask(arguments, verbs.CA_CHANGE, request)
    if arguments.json:
        print_json(shown)
        return
    rows = [(one.part, one.pin, time_text(one.expires), str(one.nodes)) for one in shown.authorities]
    print_table(("CA", "PIN", "EXPIRES", "NODES"), rows)


def run_settings_show(arguments: argparse.Namespace) -> None:
    """Show the settings."""
    _print_settings(arguments, ask(arguments, verbs.SETTINGS_SHOW, Nothing()))


def run_settings_set(arguments: argparse.Namespace) -> None:
    """Change a setting."""
    request = verbs.SetSetting(actor_name(), arguments.name, arguments.value)
    _print_settings(arguments, ask(arguments, verbs.SETTINGS_SET, request))


def run_backup(arguments: argparse.Namespace) -> None:
    """Write a backup."""
    ask(arguments, verbs.BACKUP, verbs.WriteBackup(actor_name(), str(arguments.file.absolute())))


def run_restore(arguments: argparse.Namespace) -> None:
    """Restore a backup."""
    manifest = restore_backup(arguments.home, arguments.database, arguments.file)
    sys.stdout.write(f"restored what was known at {time_text(manifest.time)}\n")


def run_simulate(arguments: argparse.Namespace) -> None:
    """Be many nodes."""
    host, _, port = arguments.engine.rpartition(":")
    if not host or not port.isdecimal():
        raise VirtnodeError(Code.INVALID, f"{arguments.engine!r} is no HOST:PORT", "try 127.0.0.1:7443")
    options = SimulateOptions(
        host.strip("[]"),
        int(port),
        arguments.pin,
        arguments.token,
        arguments.nodes,
        arguments.seconds,
        arguments.at_once,
        updates=arguments.updates,
    )
    allow_many_files()
    keep_connections_small()
    collect_seldom()
    live: Live | None = None
    if options.updates:
        # Nothing that an engine at work should carry along.
        from engine.simulate_updates import live_for_a_while

        live = live_for_a_while
    report = asyncio.run(simulate(options, live))
    if arguments.json:
        print_json(report)
    else:
        sys.stdout.write("\n".join([*report_lines(report), ""]))


def _read_password() -> str:
    """Ask for a new password, twice where somebody types it; not as an option, which others would see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != password:
        raise VirtnodeError(Code.INVALID, "the two passwords differ", "try again")
    return password


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _print_settings(arguments: argparse.Namespace, shown: verbs.SettingLines) -> None:
    if arguments.json:
        print_json(shown.settings)
    else:
        print_table(("SETTING", "VALUE"), [(name, str(value)) for name, value in shown.settings.items()])


if __name__ == "__main__":
    sys.exit(main())
