"""The verbs of virtnodectl about support."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from nodeagent.control_text import check_text, drives_text, journal_text
from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus import SUPPORT, SupportRequest
from nodelib.bus_support import (
    BUNDLE,
    JOURNAL,
    SELF_CHECK,
    UNITS,
    USB_DRIVES,
    BundlePlace,
    BundleRequest,
    JournalRequest,
    Verdict,
)
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing

PRIORITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
LONGEST = 300.0
"""Seconds that an archive may take on its way."""


def add_support_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    journal = add_verb(verbs, "journal", run_journal, "show the last lines of this boot's journal")
    journal.add_argument("--unit", default="", metavar="UNIT", help="of one unit alone")
    journal.add_argument("--units", action="store_true", help="list the units instead")
    journal.add_argument(
        "--priority", type=_priority, default=7, metavar="P", help="as urgent as this, 0 to 7 or a name"
    )
    journal.add_argument("--lines", type=int, default=200, metavar="N", help="how many (default: 200)")
    journal.add_argument("--json", action="store_true", help="print it as JSON")
    check = add_verb(verbs, "check", run_self_check, "check this node; fails where a check does")
    check.add_argument("--json", action="store_true", help="print it as JSON")
    support = add_verb(verbs, "support", run_support, "write an archive for whoever helps, without secrets")
    place = support.add_mutually_exclusive_group()
    place.add_argument("--to", default="/var/tmp", metavar="DIR", help="into a folder (default: /var/tmp)")
    place.add_argument(
        "--usb",
        nargs="?",
        const="",
        default=None,
        metavar="DEVICE",
        help="onto a USB drive, by name or the only one",
    )
    place.add_argument("--engine", action="store_true", help="to the engine")
    place.add_argument("--url", action="store_true", help="by HTTP from this node, for ten minutes")
    place.add_argument("--drives", action="store_true", help="list the USB drives instead")


def run_journal(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the journal, or what there is to choose from."""
    if found.units:
        terminal.write("\n".join(terminal.client.call(UNITS, Nothing()).units))
        return
    request = JournalRequest(found.unit, found.priority, found.lines)
    reply = terminal.client.call(JOURNAL, request)
    terminal.write(to_json(reply) if found.json else journal_text(reply.entries))


def run_self_check(found: argparse.Namespace, terminal: Terminal) -> None:
    """Check the node; raises VirtnodeError (failed) where a check failed."""
    reply = terminal.client.call(SELF_CHECK, Nothing())
    terminal.say(to_json(reply) if found.json else check_text(reply))
    if reply.verdict is Verdict.FAILED:
        raise VirtnodeError(Code.FAILED, "something must be mended", "each failed check has a hint")


def run_support(found: argparse.Namespace, terminal: Terminal) -> None:
    """Write the archive, and say where it is."""
    call = terminal.client.call
    if found.drives:
        terminal.say(drives_text(call(USB_DRIVES, Nothing()).drives))
    elif found.usb is not None:
        reply = call(BUNDLE, BundleRequest(BundlePlace.USB, found.usb), LONGEST)
        terminal.say(f"{reply.where}; the drive may be pulled out")
    elif found.engine:
        reply = call(BUNDLE, BundleRequest(BundlePlace.ENGINE), LONGEST)
        terminal.say(f"{reply.where}\non the engine: virtnode-engine archives save {reply.where} FILE")
    elif found.url:
        reply = call(BUNDLE, BundleRequest(BundlePlace.URL), LONGEST)
        until = datetime.fromtimestamp(datetime.now(UTC).timestamp() + reply.seconds_left, UTC)
        terminal.say(f"{reply.where}\nuntil {until:%H:%M:%S} UTC, for three downloads at most")
    else:
        terminal.say(call(SUPPORT, SupportRequest(str(Path(found.to).absolute()))).path)


def _priority(text: str) -> int:
    if text in PRIORITIES:
        return PRIORITIES.index(text)
    if text.isdecimal() and int(text) < len(PRIORITIES):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is none of 0 to 7, {', '.join(PRIORITIES)}")
