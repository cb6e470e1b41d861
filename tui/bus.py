"""The agent on the bus: calls that nobody waits in, and its signals, by a loop in a thread of its own."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NoReturn, TypeVar

import dbus
import dbus.mainloop.glib

from nodelib.bus import (
    BUS_NAME,
    BUS_PATH,
    CONFIG_PENDING,
    ERROR_PREFIX,
    INTERFACE,
    LADDER_CHANGED,
    STATUS_CHANGED,
    Failure,
    LadderReply,
    PendingChange,
    Status,
    make_error,
)
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb
from nodelib.main_loop import MainLoop
from tui.client import TIMEOUT, Hear, Signal
from tui.texts import say

logger = logging.getLogger(__name__)

Q = TypeVar("Q")
R = TypeVar("R")

SIGNALS: dict[str, type[Any]] = {
    STATUS_CHANGED: Status,
    LADDER_CHANGED: LadderReply,
    CONFIG_PENDING: PendingChange,
}
ABSENT = ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "NoServer", "FileNotFound", "Spawn")


class BusNode:
    """A node client over D-Bus. Everything that touches the connection happens in the loop's thread."""

    def __init__(self, address: str = "") -> None:
        self._address = address
        self._hear: list[Hear] = []
        self._connection: dbus.connection.Connection | None = None
        self._loop = MainLoop()
        self._thread = threading.Thread(target=self._loop.run, name="bus", daemon=True)
        self._thread.start()

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> Future[R]:
        """Begin a call; the future holds the reply."""
        future: Future[R] = Future()
        signature, words = ("", ()) if verb.request is Nothing else ("s", (to_json(request),))

        def begin() -> None:
            try:
                self._connected().call_async(
                    BUS_NAME,
                    BUS_PATH,
                    INTERFACE,
                    verb.name,
                    signature,
                    words,
                    lambda text="{}": settle(
                        future, lambda: decode_lenient(verb.reply, parse_json(str(text)))
                    ),
                    lambda error: settle(future, lambda: fail(error)),
                    timeout=timeout,
                )
            except dbus.exceptions.DBusException as error:
                failure = error
                self._connection = None
                settle(future, lambda: fail(failure))

        self._loop.call_soon(begin)
        return future

    def subscribe(self, hear: Hear) -> None:
        """Tell every signal, in the loop's thread."""
        self._hear.append(hear)

    def close(self) -> None:
        """Leave the bus."""
        self._hear.clear()
        self._loop.call_soon(self._leave)
        self._thread.join(timeout=2.0)
        self._connection = None

    def _connected(self) -> dbus.connection.Connection:
        if self._connection is None or not self._connection.get_is_connected():
            self._connection = connect(self._address)
            for name in SIGNALS:
                self._connection.add_signal_receiver(
                    self._tell, name, INTERFACE, BUS_NAME, BUS_PATH, member_keyword="member"
                )
        return self._connection

    def _leave(self) -> None:
        if self._connection is not None:
            # It is dropped only when the loop has ended, for the loop is told of its end.
            self._connection.close()
        self._loop.quit()

    def _tell(self, text: str, member: str) -> None:
        try:
            signal: Signal = decode_lenient(SIGNALS[member], parse_json(str(text)))
        except VirtnodeError as error:
            logger.warning("the signal %s makes no sense: %s", member, error.message)
            return
        for hear in self._hear:
            hear(signal)


def connect(address: str) -> dbus.connection.Connection:
    """Connect to the system bus or to the bus at an address; losing it ends no process."""
    loop = dbus.mainloop.glib.DBusGMainLoop()
    if address:
        connection = dbus.bus.BusConnection(address, mainloop=loop)
    else:
        connection = dbus.SystemBus(mainloop=loop, private=True)
    connection.set_exit_on_disconnect(False)
    return connection


def settle(future: Future[R], work: Callable[[], R]) -> None:
    """Give a future what came of some work."""
    if future.cancelled():
        return
    try:
        future.set_result(work())
    except VirtnodeError as error:
        future.set_exception(error)


def fail(error: dbus.exceptions.DBusException) -> NoReturn:
    """Raise an error of the bus as one of ours."""
    raise translate(error) from error


def translate(error: dbus.exceptions.DBusException) -> VirtnodeError:
    """Make of an error of the bus what a person can use."""
    name, text = error.get_dbus_name() or "", error.get_dbus_message() or ""
    if name.startswith(ERROR_PREFIX):
        return make_error(name, decode_lenient(Failure, parse_json(text)))
    kind = name.rpartition(".")[2]
    if kind == "AccessDenied":
        return explain(Code.DENIED, "denied")
    if kind == "NoReply" and "disconnected" not in text:
        # It is there: the bus says so otherwise where the other end left in the middle of a call.
        return explain(Code.UNAVAILABLE, "slow")
    if kind.startswith(ABSENT):
        return explain(Code.UNAVAILABLE, "absent")
    if kind == "UnknownMethod":
        return explain(Code.NOT_FOUND, "no_method")
    return explain(Code.FAILED, "failed", text=text)


def explain(code: Code, key: str, **values: str) -> VirtnodeError:
    """Make an error in the catalogue's words."""
    return VirtnodeError(code, say(f"bus.{key}", **values), say(f"bus.{key}_hint"))
