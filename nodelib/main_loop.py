"""The GLib main loop, as far as our programs need one: it carries the messages of D-Bus.

GLib is called by ctypes, for a few functions do. Its complete bindings take megabytes of each process.
"""

import ctypes
import itertools
import logging
import signal
from collections.abc import Callable

logger = logging.getLogger(__name__)

LIBRARY = "libglib-2.0.so.0"
DEFAULT_PRIORITY, HIGH_PRIORITY, IDLE_PRIORITY = 0, -100, 200
SourceFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
"""Called with the number of some work; what it returns says whether it is to be called again."""
Work = Callable[[], object]


class MainLoop:
    """Runs in one thread; work comes from all."""

    def __init__(self) -> None:
        self._glib = _load_glib()
        self._loop = ctypes.c_void_p(self._glib.g_main_loop_new(None, 0))

    def run(self) -> None:
        """Work until `quit`."""
        self._glib.g_main_loop_run(self._loop)

    def quit(self) -> None:
        """End `run`; from any thread."""
        self.call_soon(self._quit_now)

    def call_soon(self, work: Work) -> None:
        """Do something in the loop's thread, soon; from any thread."""
        self._glib.g_idle_add_full(IDLE_PRIORITY, _call, _keep(work, again=False), None)

    def call_every(self, seconds: float, work: Work) -> None:
        """Do something again and again."""
        interval = int(seconds * 1000)
        self._glib.g_timeout_add_full(DEFAULT_PRIORITY, interval, _call, _keep(work, again=True), None)

    def quit_on_signals(self) -> None:
        """End `run` when this program is told to end."""
        for number in (signal.SIGTERM, signal.SIGINT):
            key = _keep(self._quit_now, again=True)
            self._glib.g_unix_signal_add_full(HIGH_PRIORITY, number, _call, key, None)

    def _quit_now(self) -> None:
        self._glib.g_main_loop_quit(self._loop)


_numbers = itertools.count(1)
_kept: dict[int, tuple[Work, bool]] = {}
"""What GLib will call, by number, and whether more than once. GLib's own list is one for the process, too."""


def _keep(work: Work, *, again: bool) -> int:
    number = next(_numbers)
    _kept[number] = (work, again)
    return number


def _do(number: int) -> int:
    work, again = _kept[number]
    if not again:
        del _kept[number]
    try:
        work()
    except Exception:  # the outermost loop: above it there is nobody but GLib
        logger.exception("something in the main loop failed")
    return int(again)


_call = SourceFunction(_do)
"""What GLib calls; it must never be freed."""


def _load_glib() -> ctypes.CDLL:
    """Find the library that the bindings of D-Bus use, and say how its functions are called."""
    glib = ctypes.CDLL(LIBRARY)
    glib.g_main_loop_new.restype = ctypes.c_void_p
    glib.g_main_loop_new.argtypes = (ctypes.c_void_p, ctypes.c_int)
    for function in (glib.g_main_loop_run, glib.g_main_loop_quit):
        function.restype = None
        function.argtypes = (ctypes.c_void_p,)
    ends = (SourceFunction, ctypes.c_void_p, ctypes.c_void_p)
    glib.g_idle_add_full.argtypes = (ctypes.c_int, *ends)
    glib.g_timeout_add_full.argtypes = (ctypes.c_int, ctypes.c_uint, *ends)
    glib.g_unix_signal_add_full.argtypes = (ctypes.c_int, ctypes.c_int, *ends)
    return glib
