"""The verbs of the command line about images, updates and rolls."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from engine import update_verbs as verbs
from engine.command_line import actor_name, add_place, ask, print_json, print_table, time_text
from engine.update_verbs import OnImage, OnUpdate, RollLine
from nodelib.link import Nothing

if TYPE_CHECKING:
    from engine.command_line import Parsers

DEFAULT_CLUSTER = "Default"


def add_images(parsers: "Parsers") -> None:
    """Describe the verbs about images."""
    inner = parsers.add_parser("image", help="images that nodes can be updated to").add_subparsers(
        required=True, metavar="VERB"
    )
    add = inner.add_parser("add", help="take an update in, or put its file back")
    add.add_argument("file", type=Path, metavar="FILE")
    listing = inner.add_parser("list", help="show all, the newest first")
    remove = inner.add_parser("remove", help="remove one")
    remove.add_argument("image", metavar="VERSION", help="version, build or digest")
    for parser, verb in ((add, run_image_add), (listing, run_image_list), (remove, run_image_remove)):
        parser.set_defaults(verb=verb)
        add_place(parser)
    listing.add_argument("--json", action="store_true", help="as JSON")


def add_updates(inner: "Parsers") -> None:
    """Describe the verbs about the update of one node, beside the others about nodes."""
    upgrade = inner.add_parser("upgrade", help="update a node, and have it back")
    updates = inner.add_parser("updates", help="show what a node runs and could run")
    for parser, verb in ((upgrade, run_nodes_upgrade), (updates, run_nodes_updates)):
        parser.add_argument("node", metavar="NODE", help="name or identifier")
        parser.set_defaults(verb=verb)
        _add_image_choice(parser)
        add_place(parser)
    _add_stop_guests(upgrade)
    updates.add_argument("--json", action="store_true", help="as JSON")


def add_roll(parsers: "Parsers") -> None:
    """Describe the verb that updates a cluster."""
    parser = parsers.add_parser("roll", help="update the nodes of a cluster, one after the other")
    parser.add_argument("what", metavar="CLUSTER", help="a cluster to begin with; or status, or stop")
    parser.add_argument(
        "cluster", nargs="?", default=DEFAULT_CLUSTER, metavar="CLUSTER", help="for status and stop"
    )
    parser.add_argument("--one-at-a-time", action="store_true", help="the default, and the only way there is")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(verb=run_roll)
    _add_image_choice(parser)
    _add_stop_guests(parser)
    add_place(parser)


def _add_image_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image",
        default="",
        metavar="VERSION",
        help="version, build or digest (default: the newest that fits)",
    )


def _add_stop_guests(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stop-guests", action="store_true", help="shut virtual machines down that still run there"
    )


def run_image_add(arguments: argparse.Namespace) -> None:
    """Take a bundle in."""
    request = OnImage(actor_name(), str(arguments.file.absolute()))
    image = ask(arguments, verbs.IMAGE_ADD, request)
    sys.stdout.write(f"{image.version} ({image.build_id}) is here: {image.digest}\n")


def run_image_list(arguments: argparse.Namespace) -> None:
    """List images."""
    images = ask(arguments, verbs.IMAGE_LIST, Nothing()).images
    if arguments.json:
        print_json(images)
        return
    rows = [
        (
            one.version,
            one.build_id,
            one.system,
            one.architecture,
            f"{one.size_bytes / (1 << 20):.0f} MiB",
            time_text(one.made),
            one.digest[:12],
            "" if one.here else "its file is missing: add it again",
        )
        for one in images
    ]
    print_table(("VERSION", "BUILD", "SYSTEM", "FOR", "SIZE", "MADE", "DIGEST", ""), rows)


def run_image_remove(arguments: argparse.Namespace) -> None:
    """Remove an image."""
    ask(arguments, verbs.IMAGE_REMOVE, OnImage(actor_name(), arguments.image))


def run_nodes_upgrade(arguments: argparse.Namespace) -> None:
    """Begin the update of a node."""
    request = OnUpdate(actor_name(), arguments.node, arguments.image, arguments.stop_guests)
    line = ask(arguments, verbs.NODES_UPGRADE, request)
    sys.stdout.write(f"{line.node} is {line.state}: {line.reason}\n")


def run_nodes_updates(arguments: argparse.Namespace) -> None:
    """Show what a node runs and could run."""
    request = OnUpdate(actor_name(), arguments.node, arguments.image)
    line = ask(arguments, verbs.NODES_UPDATES, request)
    if arguments.json:
        print_json(line)
        return
    available = f"{line.available} ({line.available_build})" if line.available else "nothing newer is here"
    shown = [
        ("node", f"{line.node} is {line.state}{': ' if line.reason else ''}{line.reason}"),
        ("runs", f"{line.installed} ({line.build_id})"),
        ("available", available),
    ]
    if line.update:
        shown.append(("last update", f"to {line.version}, begun {time_text(line.started)}: {line.update}"))
    if line.action:
        shown.append(("do", line.action))
    sys.stdout.write("".join(f"{name:<12} {text}\n" for name, text in shown))
    if line.packages:
        rows = [(one.name, one.before or "-", one.after or "-") for one in line.packages]
        print_table(("PACKAGE", "NOW", "THEN"), rows)


def run_roll(arguments: argparse.Namespace) -> None:
    """Begin to update a cluster, or show or stop that."""
    actor = actor_name()
    if arguments.what == "status":
        roll = ask(arguments, verbs.ROLL_STATUS, OnUpdate(actor, arguments.cluster))
    elif arguments.what == "stop":
        roll = ask(arguments, verbs.ROLL_STOP, OnUpdate(actor, arguments.cluster))
    else:
        request = OnUpdate(actor, arguments.what, arguments.image, arguments.stop_guests)
        roll = ask(arguments, verbs.ROLL_START, request)
    if arguments.json:
        print_json(roll)
    else:
        _print_roll(roll)


def _print_roll(roll: RollLine) -> None:
    if not roll.state:
        sys.stdout.write(f"{roll.cluster} was never rolled\n")
        return
    reason = f": {roll.reason}" if roll.reason else ""
    sys.stdout.write(
        f"{roll.cluster} to {roll.version} ({roll.build_id}): {roll.state}, {roll.percent} %{reason}\n"
    )
    if roll.nodes:
        print_table(("NODE", "STATE", "REASON"), [(one.node, one.state, one.reason) for one in roll.nodes])
