"""Join tokens: who knows one is let in without asking, as often and as long as it says.

A token is `vnt_` and 160 random bits in base 32. Its first eight letters are its public name; the whole is
stored as a digest alone, so the database gives no token away.
"""

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from engine import events
from engine.events import Actor, Event
from engine.printable import printable
from engine.store import token_rows
from engine.store.database import Connection, Store
from engine.store.token_rows import TokenRow
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity

PREFIX = "vnt_"
RANDOM_BYTES = 20
NAME_LENGTH = 8
LONGEST_TOKEN = 100
MOST_USES = 1_000_000
LONGEST_SECONDS = 10 * 365 * 86400.0


@dataclass(frozen=True)
class NewToken:
    """A token that was just made: the only time that anybody sees it."""

    id: str
    token: str
    uses: int
    expires: float


def create_token(
    store: Store,
    *,
    uses: int,
    seconds: float,
    actor: Actor,
    now: float,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> NewToken:
    """Make a token for so many nodes, good for so many seconds."""
    if not 1 <= uses <= MOST_USES:
        raise VirtnodeError(Code.INVALID, f"a token is for 1 to {MOST_USES} nodes, not {uses}")
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise VirtnodeError(Code.INVALID, "a token is good for a second up to ten years", "try --expires 24h")
    text = base64.b32encode(random(RANDOM_BYTES)).decode().lower()
    new = NewToken(text[:NAME_LENGTH], PREFIX + text, uses, now + seconds)
    row = TokenRow(new.id, _digest(new.token), uses, 0, now, actor.name, new.expires)
    with store.write() as connection:
        token_rows.insert_token(connection, row)
        event = Event(Severity.INFO, "token-created", f"join token {new.id} for {uses} nodes was made")
        events.record(connection, event, actor, now)
    return new


def list_tokens(store: Store) -> tuple[TokenRow, ...]:
    """List all tokens, the newest first."""
    with store.read() as connection:
        return token_rows.list_tokens(connection)


def revoke_token(store: Store, token_id: str, actor: Actor, now: float) -> None:
    """Let a token, by its public name, let nobody in any more."""
    with store.write() as connection:
        if not token_rows.revoke_token(connection, token_id, now):
            raise VirtnodeError(
                Code.NOT_FOUND, f"there is no token {token_id}", "virtnode-engine token list shows them"
            )
        event = Event(Severity.INFO, "token-revoked", f"join token {token_id} was revoked")
        events.record(connection, event, actor, now)


def check_token(connection: Connection, token: str, now: float) -> str:
    """Find a good token and return its public name, without using it. Raises TokenRefused."""
    name = printable(token.removeprefix(PREFIX), NAME_LENGTH)
    row = token_rows.find_token(connection, name) if len(token) <= LONGEST_TOKEN else None
    # Somebody who guesses learns nothing from how long the answer takes.
    right = hmac.compare_digest(_digest(token), row.digest if row else _digest(""))
    if row is None or not right:
        raise _denied("the join token is wrong", "copy it again, or make one: virtnode-engine token create")
    if row.revoked_at is not None:
        raise _denied(f"the join token {name} was revoked", _ANOTHER)
    if row.expires <= now:
        raise _denied(f"the join token {name} has expired", _ANOTHER)
    if row.used >= row.uses:
        raise _denied(f"the join token {name} is used up", _ANOTHER)
    return row.id


def take_use(connection: Connection, name: str, now: float) -> None:
    """Use a token once, by its public name; of many at the same time only so many get it.

    Raises TokenRefused.
    """
    if not token_rows.take_use(connection, name, now):
        raise _denied(f"the join token {name} is used up", _ANOTHER)


class TokenRefused(VirtnodeError):
    """A token that lets nobody in."""


class Bucket:
    """Lets through so many at once, and so many a second from then on."""

    def __init__(self, burst: float, per_second: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._level = burst
        self._filled = clock()

    def take(self) -> bool:
        """Take one drop, if there is one."""
        if not self.has():
            return False
        self._level -= 1
        return True

    def has(self) -> bool:
        """Tell whether there is a drop, and leave it."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._filled) * self._per_second)
        self._filled = now
        return self._level >= 1


class WrongTokens:
    """Bounds how many wrong tokens are looked at: for each address, and of all together."""

    MOST_ADDRESSES = 10_000

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all = Bucket(200, 20, clock)
        self._by_address: OrderedDict[str, Bucket] = OrderedDict()

    def check(self, address: str) -> None:
        """Refuse to look at a token of an address that sent too many wrong ones. Raises (busy)."""
        bucket = self._by_address.get(address)
        if not self._all.has() or (bucket is not None and not bucket.has()):
            raise VirtnodeError(
                Code.BUSY, "too many wrong join tokens", "wait a minute, and try again with the right one"
            )

    def count(self, address: str) -> None:
        """Remember a wrong token."""
        self._all.take()
        bucket = self._by_address.setdefault(address, Bucket(10, 0.2, self._clock))
        self._by_address.move_to_end(address)
        bucket.take()
        if len(self._by_address) > self.MOST_ADDRESSES:
            self._by_address.popitem(last=False)


_ANOTHER = "make another one: virtnode-engine token create"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _denied(message: str, hint: str) -> TokenRefused:
    return TokenRefused(Code.DENIED, message, hint)
