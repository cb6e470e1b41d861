"""Who may change this node now: root, whoever unlocked, and everybody as long as no password is set."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from nodelib.bus import CONFIG_CONFIRM, CONFIG_REVERT
from nodelib.bus_methods import GUARDED
from nodelib.errors import Code, VirtnodeError


@dataclass(frozen=True)
class Caller:
    """Who calls, as the bus itself says it."""

    connection: str
    """The unique name on the bus; it is never given again."""
    uid: int | None
    """None where the bus does not say."""
    name: str
    """The user's name, for the log of events."""


@dataclass(frozen=True)
class Rules:
    """What the node says about access at this moment."""

    password_set: bool
    idle_lock: float
    """Seconds; 0 locks nothing."""
    pending: str = ""
    """The ticket of the change that waits for its confirmation."""


@dataclass(frozen=True)
class Permission:
    """Whether a connection may change the node, and for how long if it changes nothing; 0 for ever."""

    unlocked: bool
    seconds_left: float = 0.0


class Guard:
    """Keeps which connections are unlocked; every method may be called from every thread."""

    def __init__(self, clock: Callable[[], float], rules: Callable[[], Rules]) -> None:
        self._clock = clock
        self._rules = rules
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}
        """When each unlocked connection last changed something."""
        self._applied: dict[str, str] = {}
        """The ticket of each connection's last change."""

    def check(self, method: str, caller: Caller, ticket: str = "") -> None:
        """Let a call pass, which renews the time; raises VirtnodeError (denied).

        `ticket` is the one that a confirmation names: whoever applied a change may end its countdown.
        """
        if method not in GUARDED:
            return
        rules = self._rules()
        with self._lock:
            if self._permission(caller, rules).unlocked:
                if caller.connection in self._used:
                    self._used[caller.connection] = self._clock()
                return
            mine = self._applied.get(caller.connection)
        if method in (CONFIG_CONFIRM.name, CONFIG_REVERT.name) and mine and mine == (ticket or rules.pending):
            return
        raise VirtnodeError(
            Code.DENIED,
            "changes need the administrator's password",
            "unlock first: in the console, or with virtnodectl --unlock",
        )

    def permission(self, caller: Caller) -> Permission:
        """Tell how a connection stands."""
        rules = self._rules()
        with self._lock:
            return self._permission(caller, rules)

    def unlock(self, connection: str) -> None:
        """Let a connection change things from now on."""
        with self._lock:
            self._used[connection] = self._clock()

    def lock(self, connection: str) -> None:
        """Let a connection change nothing until it is unlocked again."""
        with self._lock:
            self._used.pop(connection, None)

    @property
    def unlocked(self) -> frozenset[str]:
        """The connections that were unlocked and are still on the bus."""
        with self._lock:
            return frozenset(self._used)

    def lock_all(self) -> None:
        """Lock every connection, as another password does."""
        with self._lock:
            self._used.clear()

    def note_applied(self, connection: str, ticket: str) -> None:
        """Remember whose change waits, so that a lock does not keep its owner from confirming it."""
        if ticket:
            with self._lock:
                self._applied[connection] = ticket

    def forget(self, connection: str) -> None:
        """Forget a connection that left the bus."""
        with self._lock:
            self._used.pop(connection, None)
            self._applied.pop(connection, None)

    def _permission(self, caller: Caller, rules: Rules) -> Permission:
        if caller.uid == 0 or not rules.password_set:
            return Permission(True)
        used = self._used.get(caller.connection)
        if used is None:
            return Permission(False)
        if not rules.idle_lock:
            return Permission(True)
        left = used + rules.idle_lock - self._clock()
        if left > 0:
            return Permission(True, left)
        del self._used[caller.connection]
        return Permission(False)
