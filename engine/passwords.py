"""Passwords: what is stored of them, and how much patience there is with wrong ones."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodelib.errors import Code, VirtnodeError

Clock = Callable[[], float]
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 1024


@dataclass(frozen=True)
class Scrypt:
    """How costly a password is to try. The memory is 128 * n * r bytes."""

    n: int = 1 << 15
    r: int = 8
    p: int = 1


@dataclass(frozen=True)
class Limit:
    """How many wrong passwords are taken at once, and how many seconds each of them weighs."""

    burst: int
    seconds: float


ATTEMPTS = {
    "user-address": Limit(5, 30.0),
    "address": Limit(20, 10.0),
    # Wide enough that nobody far away keeps an administrator out with a few tries.
    "user": Limit(100, 2.0),
}


def hash_password(password: str, cost: Scrypt, salt: bytes) -> str:
    """Make what is stored of a password: `scrypt$N$R$P$SALT$HASH`."""
    digest = _scrypt(password, cost, salt)
    return f"scrypt${cost.n}${cost.r}${cost.p}${salt.hex()}${digest.hex()}"


def check_password_hash(password: str, stored: str) -> bool:
    """Compare a password with what is stored of it."""
    _, n, r, p, salt, digest = stored.split("$")
    tried = _scrypt(password, Scrypt(int(n), int(r), int(p)), bytes.fromhex(salt))
    return hmac.compare_digest(tried, bytes.fromhex(digest))


def unmatched_hash(cost: Scrypt, random: Callable[[int], bytes]) -> str:
    """Make a hash that no password has, as costly to compare with as any other."""
    return f"scrypt${cost.n}${cost.r}${cost.p}${random(16).hex()}${random(32).hex()}"


def check_password(password: str) -> None:
    """Refuse a password that would not hold, or that takes long to hash. Raises VirtnodeError (invalid)."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise VirtnodeError(
            Code.INVALID,
            f"a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
            "a few unrelated words are long enough and easy to keep",
        )


class Throttle:
    """Counts attempts for each key, and forgets them with time: each weighs its limit's seconds."""

    def __init__(self, clock: Clock, most_keys: int = 10_000) -> None:
        self._clock = clock
        self._most_keys = most_keys
        self._until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def admit(self, keys: Sequence[tuple[str, str]]) -> None:
        """Count one attempt for each of these. Raises VirtnodeError (busy) when there were too many."""
        now = self._clock()
        with self._lock:
            wait = max(self._owed(key, now) - (_limit(key).burst - 1) * _limit(key).seconds for key in keys)
            if wait > 0:
                raise VirtnodeError(
                    Code.BUSY, "too many wrong passwords", f"try again in {int(wait) + 1} seconds"
                )
            if len(self._until) >= self._most_keys:
                self._until = {key: until for key, until in self._until.items() if until > now}
            for key in keys:
                if key in self._until or len(self._until) < self._most_keys:
                    self._until[key] = now + self._owed(key, now) + _limit(key).seconds

    def forgive(self, keys: Sequence[tuple[str, str]]) -> None:
        """Take the last attempt back: it was right."""
        with self._lock:
            for key in keys:
                if key in self._until:
                    self._until[key] -= _limit(key).seconds

    def _owed(self, key: tuple[str, str], now: float) -> float:
        return max(0.0, self._until.get(key, now) - now)


def _limit(key: tuple[str, str]) -> Limit:
    return ATTEMPTS[key[0]]


def _scrypt(password: str, cost: Scrypt, salt: bytes) -> bytes:
    memory = 128 * cost.n * cost.r + (1 << 20)
    data = password.encode(errors="surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=memory, dklen=32)
