"""The agent on the system bus: objects only convert and delegate; what takes time leaves the main loop."""

import functools
import json
import logging
import pwd
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeAlias

import dbus
import dbus.mainloop.glib
import dbus.service

from nodeagent.guard import Caller, Guard
from nodelib.bus import (
    BUS_NAME,
    BUS_PATH,
    CONFIG_PENDING,
    INTERFACE,
    LADDER_CHANGED,
    STATUS_CHANGED,
    Failure,
    LadderReply,
    PendingChange,
    Status,
    error_name,
)
from nodelib.bus_methods import GUARDED, METHODS
from nodelib.codec import decode, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb

logger = logging.getLogger(__name__)

Soon: TypeAlias = Callable[[Callable[[], object]], None]
"""Does something in the main loop's thread."""
Done: TypeAlias = Callable[[str], None]
Fail: TypeAlias = Callable[[Exception], None]
WHO_TIMEOUT = 5.0
DAEMON, DAEMON_PATH = "org.freedesktop.DBus", "/org/freedesktop/DBus"


@dataclass(frozen=True)
class Method:
    """Who answers a method of the bus: the function gets the request and who asks."""

    verb: Verb[Any, Any]
    function: Callable[[Any, str], object] | None = None
    executor: Executor | None = None
    """Where it is done; None for what is done at once."""
    for_caller: Callable[[Any, Caller], object] | None = None
    """In place of `function`, where the user's name is not enough: it gets the connection, too."""
    on_leave: Callable[[str], None] | None = None
    """Told of each connection that is gone from the bus."""

    @property
    def is_open(self) -> bool:
        """Tell whether it matters to nobody who asks."""
        return self.executor is None and self.for_caller is None and self.verb.name not in GUARDED

    def work(self, request: object, caller: Caller) -> Callable[[], object]:
        """Bind what is to be done."""
        if self.for_caller is not None:
            return functools.partial(self.for_caller, request, caller)
        assert self.function is not None
        return functools.partial(self.function, request, caller.name)


def connect(address: str = "") -> dbus.connection.Connection:
    """Connect to the system bus, or to the bus at an address; its messages come by the GLib main loop."""
    loop = dbus.mainloop.glib.DBusGMainLoop()
    try:
        return dbus.bus.BusConnection(address, mainloop=loop) if address else dbus.SystemBus(mainloop=loop)
    except dbus.exceptions.DBusException as error:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"the system bus cannot be reached: {error.get_dbus_message()}",
            "is dbus running?",
        ) from error


def own_name(connection: dbus.connection.Connection) -> dbus.service.BusName:
    """Take the agent's name; raises VirtnodeError (conflict) where another agent has it."""
    try:
        return dbus.service.BusName(BUS_NAME, connection, do_not_queue=True)
    except dbus.exceptions.NameExistsException as error:
        raise VirtnodeError(Code.CONFLICT, "another agent is running already") from error
    except dbus.exceptions.DBusException as error:
        raise VirtnodeError(
            Code.DENIED, f"the bus does not give {BUS_NAME} to this program: {error.get_dbus_message()}"
        ) from error


class BusService:
    """The object at BUS_PATH."""

    def __init__(
        self,
        connection: dbus.connection.Connection,
        methods: tuple[Method, ...],
        call_soon: Soon,
        guard: Guard,
    ) -> None:
        self._connection = connection
        self._call_soon = call_soon
        self._guard = guard
        self._departures = connection.add_signal_receiver(
            self._note_owner, "NameOwnerChanged", DAEMON, DAEMON, DAEMON_PATH
        )
        self._methods = {method.verb.name: method for method in methods}
        self._object = _NodeObject(connection, BUS_PATH)
        self._object.serve = self._serve

    def tell_status(self, status: Status) -> None:
        """Send the signals about a status; called from any thread."""
        self._emit(STATUS_CHANGED, to_json(status))
        if status.pending is not None:
            self.tell_pending(status.pending)

    def tell_pending(self, pending: PendingChange) -> None:
        """Send the signal that a change waits for its confirmation; called from any thread."""
        self._emit(CONFIG_PENDING, to_json(pending))

    def tell_ladder(self, ladder: LadderReply) -> None:
        """Send the signal about the ladder; called from any thread."""
        self._emit(LADDER_CHANGED, to_json(ladder))

    def remove(self) -> None:
        """Leave the bus."""
        self._departures.remove()
        self._object.remove_from_connection()

    def _emit(self, name: str, text: str) -> None:
        self._call_soon(lambda: getattr(self._object, name)(text))

    def _serve(self, name: str, text: str, sender: str, done: Done, fail: Fail) -> None:
        method = self._methods[name]
        try:
            request = decode(method.verb.request, parse_json(text))
        except VirtnodeError as error:
            fail(_bus_error(error))
            return
        if method.is_open:
            _finish(method.work(request, Caller(sender, None, sender)), done, fail)
            return
        self._ask_who(sender, lambda caller: self._start(method, request, caller, done, fail))

    def _start(self, method: Method, request: object, caller: Caller, done: Done, fail: Fail) -> None:
        try:
            if caller.uid is None and method.on_leave is not None:
                raise VirtnodeError(Code.DENIED, "the bus does not know who calls", "call again")
            self._guard.check(method.verb.name, caller, str(getattr(request, "ticket", "")))
        except VirtnodeError as error:
            fail(_bus_error(error))
            return
        work = method.work(request, caller)
        if method.executor is None:
            _finish(work, done, fail)
            return
        try:
            future = method.executor.submit(work)
        except RuntimeError:
            stopping = VirtnodeError(Code.UNAVAILABLE, "the agent is stopping", "try again in a moment")
            fail(_bus_error(stopping))
            return
        future.add_done_callback(
            lambda finished: self._call_soon(lambda: _finish(finished.result, done, fail))
        )

    def _ask_who(self, sender: str, then: Callable[[Caller], None]) -> None:
        """Have the bus itself say who a connection is; nothing that a caller sends can change that."""
        self._connection.call_async(
            DAEMON,
            DAEMON_PATH,
            DAEMON,
            "GetConnectionUnixUser",
            "s",
            (sender,),
            lambda uid: then(Caller(sender, int(uid), user_name(int(uid)))),
            lambda error: then(Caller(sender, None, "somebody")),
            timeout=WHO_TIMEOUT,
        )

    def _note_owner(self, name: str, before: str, after: str) -> None:
        if name.startswith(":") and not after:
            self._guard.forget(str(name))
            for method in self._methods.values():
                if method.on_leave is not None:
                    method.on_leave(str(name))


def user_name(uid: int) -> str:
    """Name a user for the log of events."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _finish(work: Callable[[], object], done: Done, fail: Fail) -> None:
    try:
        reply = work()
    except VirtnodeError as error:
        fail(_bus_error(error))
    except Exception:  # the outermost loop of a call: whoever asks gets an answer whatever happens
        logger.exception("a call on the bus failed")
        fail(_bus_error(VirtnodeError(Code.FAILED, "internal error of the agent", "the journal says more")))
    else:
        done(to_json(Nothing() if reply is None else reply))


def _bus_error(error: VirtnodeError) -> dbus.exceptions.DBusException:
    text = to_json(Failure(error.message, error.hint))
    return dbus.exceptions.DBusException(text, name=error_name(error.code))


def _make_method(verb: Verb[Any, Any]) -> Callable[..., None]:
    """Make the bus's method of a verb: a request without content is no argument."""
    if verb.request is Nothing:

        def method(self: Any, done: Done, fail: Fail, sender: str) -> None:  # noqa: ANN401 - made by dbus
            self.serve(verb.name, json.dumps({}), sender, done, fail)
    else:

        def method(self: Any, text: str, done: Done, fail: Fail, sender: str) -> None:  # type: ignore[misc] # noqa: ANN401
            self.serve(verb.name, str(text), sender, done, fail)

    method.__name__ = verb.name
    decorate = dbus.service.method(
        INTERFACE,
        in_signature="" if verb.request is Nothing else "s",
        out_signature="s",
        async_callbacks=("done", "fail"),
        sender_keyword="sender",
    )
    decorated: Callable[..., None] = decorate(method)
    return decorated


def _make_signal(name: str) -> Callable[..., None]:
    def signal(self: Any, text: str) -> None:  # noqa: ANN401 - made by dbus
        """Send it."""

    signal.__name__ = name
    decorated: Callable[..., None] = dbus.service.signal(INTERFACE, signature="s")(signal)
    return decorated


_NodeObject: Any = type(
    "_NodeObject",
    (dbus.service.Object,),
    {verb.name: _make_method(verb) for verb in METHODS}
    | {name: _make_signal(name) for name in (STATUS_CHANGED, LADDER_CHANGED, CONFIG_PENDING)},
)
