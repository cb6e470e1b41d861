"""The GLib main loop, as far as the agent needs one."""

import signal
from collections.abc import Callable

from gi.repository import GLib


class MainLoop:
    """Runs in one thread; work comes from all."""

    def __init__(self) -> None:
        self._loop = GLib.MainLoop()

    def run(self) -> None:
        """Work until `quit`."""
        self._loop.run()

    def quit(self) -> None:
        """End `run`; from any thread."""
        self.call_soon(self._loop.quit)

    def call_soon(self, work: Callable[[], object]) -> None:
        """Do something in the loop's thread, soon; from any thread."""

        def once() -> bool:
            work()
            return bool(GLib.SOURCE_REMOVE)

        GLib.idle_add(once)

    def call_every(self, seconds: float, work: Callable[[], object]) -> None:
        """Do something again and again."""

        def again() -> bool:
            work()
            return bool(GLib.SOURCE_CONTINUE)

        GLib.timeout_add(int(seconds * 1000), again)

    def quit_on_signals(self) -> None:
        """End `run` when this program is told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, self._loop.quit)
