"""Calls to the agent over the bus, for programs that run and end."""

from typing import TypeVar

import dbus

from nodelib.bus import BUS_NAME, BUS_PATH, ERROR_PREFIX, INTERFACE, Failure, make_error
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing, Verb

Q = TypeVar("Q")
R = TypeVar("R")

ABSENT = ("ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "NoServer", "FileNotFound", "Spawn")
TIMEOUT = 120.0


class BusClient:
    """The agent's methods."""

    def __init__(self, address: str = "") -> None:
        self._address = address
        self._connection: dbus.connection.Connection | None = None

    def call(self, verb: Verb[Q, R], request: Q, timeout: float = TIMEOUT) -> R:
        """Ask the agent; raises the error that it sent, or `unavailable` where it does not run."""
        signature, words = ("", ()) if verb.request is Nothing else ("s", (to_json(request),))
        try:
            if self._connection is None:
                self._connection = self._connect()
            text = self._connection.call_blocking(
                BUS_NAME, BUS_PATH, INTERFACE, verb.name, signature, words, timeout=timeout
            )
        except dbus.exceptions.DBusException as error:
            raise _translate(error) from error
        return decode_lenient(verb.reply, parse_json(str(text)))

    def close(self) -> None:
        """Leave the bus."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> dbus.connection.Connection:
        return dbus.bus.BusConnection(self._address) if self._address else dbus.SystemBus(private=True)


def _translate(error: dbus.exceptions.DBusException) -> VirtnodeError:
    name, text = error.get_dbus_name() or "", error.get_dbus_message() or ""
    if name.startswith(ERROR_PREFIX):
        return make_error(name, decode_lenient(Failure, parse_json(text)))
    kind = name.rpartition(".")[2]
    if kind == "AccessDenied":
        return VirtnodeError(
            Code.DENIED, "you may not talk to the agent", "become root, or a member of the group virtnode"
        )
    if kind.startswith(ABSENT):
        return VirtnodeError(
            Code.UNAVAILABLE, "the agent is not running", "systemctl status virtnode-agent says why"
        )
    return VirtnodeError(Code.FAILED, f"the bus says: {text}", "the journal of virtnode-agent may say more")
