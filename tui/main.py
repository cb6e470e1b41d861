"""virtnode-console: reads its options, looks at the terminal, connects to the node, and shows it."""

import argparse
import logging
import logging.handlers
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nodelib.errors import VirtnodeError, exit_status
from tui.client import NodeClient
from tui.look import Look, detect_look, forced_size
from tui.terminal_watch import end_at_once, forget_early_keys, watch_terminal


def make_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="virtnode-console", description="The node's console: what this machine is, and its settings."
    )
    parser.add_argument("--ascii", action="store_true", help="draw with plain characters alone")
    parser.add_argument("--monochrome", action="store_true", help="draw without colour")
    parser.add_argument("--dry-run", metavar="MACHINE.json", type=Path, help="show a recorded machine")
    parser.add_argument(
        "--line", action="store_true", help="the console of a screen or serial line, which nobody opened"
    )
    parser.add_argument("--screen", default="status", help="the screen to begin with")
    parser.add_argument("--bus", metavar="ADDRESS", default="", help="the bus, if it is not the system's")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console until the session ends."""
    options = make_parser().parse_args(argv)
    look = detect_look(
        os.environ,
        terminal_name(),
        ascii=options.ascii,
        monochrome=options.monochrome,
        line=options.line,
    )
    log_to_journal(Path("/dev/log"))
    try:
        client = make_client(options.dry_run, options.bus)
    except VirtnodeError as error:
        print(f"virtnode-console: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return exit_status(error.code)
    try:
        return show(client, look, options.screen)
    finally:
        client.close()


def log_to_journal(socket: Path) -> None:
    """Log where it disturbs no picture; where there is no such place, nowhere."""
    handler: logging.Handler = logging.NullHandler()
    if socket.exists():
        handler = logging.handlers.SysLogHandler(str(socket))
        handler.setFormatter(logging.Formatter("virtnode-console: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def make_client(recorded: Path | None, bus: str) -> NodeClient:
    """Connect to the agent, or load a recorded machine."""
    if recorded is not None:
        from tui.recorded import load_machine

        return load_machine(recorded)
    from tui.bus import BusNode

    return BusNode(bus)


def show(client: NodeClient, look: Look, first: str) -> int:
    """Show the node until somebody leaves or the terminal is gone."""
    # Textual reads its settings from the environment when it is imported, and colour is ours to leave out.
    os.environ.pop("NO_COLOR", None)
    if look.monochrome:
        os.environ["TEXTUAL_COLOR_SYSTEM"] = "standard"
    if not look.mouse:
        os.environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"
    from tui.app import ConsoleApp

    app = ConsoleApp(client, look, first=first)
    watch_terminal(0, end_at_once)
    if look.may_log_in:
        forget_early_keys(0)
    app.run(mouse=look.mouse, size=forced_size(2))
    return app.return_code or 0


def terminal_name() -> str:
    """Name the terminal's device; empty where there is none."""
    try:
        return os.ttyname(0)
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
