"""Who may use the engine: accounts with roles, their passwords, and the sessions that they open."""

import hashlib
import hmac
import ipaddress
import logging
import os
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from engine import events
from engine.events import ENGINE, Actor, Event
from engine.passwords import (
    LONGEST_PASSWORD,
    Clock,
    Scrypt,
    Throttle,
    check_password,
    check_password_hash,
    hash_password,
    unmatched_hash,
)
from engine.printable import printable
from engine.store import account_rows
from engine.store.account_rows import AccountRow, SessionRow
from engine.store.database import Connection, Store
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity

logger = logging.getLogger(__name__)

DOMAIN = "internal"
"""The domain of every account, as oVirt calls its own: NAME@internal is NAME."""
COST = Scrypt()
TOUCH_SECONDS = 60
"""A session's last use is written at most this often."""

_NAME = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_ADMINISTRATORS_HINT = "virtnode-engine user list shows the accounts"


class Role(StrEnum):
    """What an account may do: each may do what those before it may."""

    METRICS = "metrics"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role is enough where another is needed."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True)
class Account:
    """Somebody who may use the engine."""

    id: str
    name: str
    role: Role
    created_at: float
    last_login: float | None = None

    @property
    def principal(self) -> str:
        """The name with its domain, as oVirt's clients write it."""
        return f"{self.name}@{DOMAIN}"


@dataclass(frozen=True)
class SessionLimits:
    """Seconds that a session lives without use, and in all."""

    idle: float = 30 * 60
    absolute: float = 24 * 3600


def create_administrator(store: Store, name: str, password: str, clock: Clock = time.time) -> Account:
    """Add the first account of an engine."""
    return Accounts(store, clock).add(name, Role.ADMINISTRATOR, password)


class Accounts:
    """The accounts of an engine. Every method may wait, for the database or for scrypt."""

    def __init__(
        self,
        store: Store,
        clock: Clock = time.time,
        *,
        cost: Scrypt = COST,
        limits: Callable[[], SessionLimits] = SessionLimits,
        random: Callable[[int], bytes] = os.urandom,
        steady: Clock = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._cost = cost
        self._random = random
        self._steady = steady
        self._throttle = Throttle(steady)
        self._cache_key = random(32)
        self._checked: dict[bytes, float] = {}
        # What an unknown name is compared with, so that it takes as long as a known one.
        self._nobody = unmatched_hash(cost, random)
        self._limits = limits

    def sign_in(self, name: str, password: str, address: str) -> Account:
        """Find the account of a name, with or without `@internal`, and a password.

        Raises VirtnodeError: denied for a wrong name or password, busy after too many of them.
        """
        name = account_name(name)
        keys = [("user-address", f"{name} {address}"), ("address", _network(address)), ("user", name)]
        self._throttle.admit(keys)
        with self._store.read() as connection:
            row = _find(connection, name)
        right = self._password_is_right(password, row.password if row else None)
        if row is None or not right:
            self._record_refusal(name, address)
            raise VirtnodeError(Code.DENIED, "the name or the password is wrong", _ADMINISTRATORS_HINT)
        self._throttle.forgive(keys)
        return _account(row)

    def open_session(self, account: Account, address: str) -> tuple[str, float]:
        """Begin a session: its token, which is kept nowhere, and when it ends at the latest."""
        token = secrets.token_urlsafe(32) if self._random is os.urandom else self._random(32).hex()
        now = self._clock()
        row = SessionRow(_digest(token), account.id, address, now, now, now + self._limits().absolute)
        with self._store.write() as connection:
            account_rows.delete_stale_sessions(connection, now, now - self._limits().idle)
            account_rows.insert_session(connection, row)
            account_rows.update_account(connection, account.id, last_login=now)
            event = Event(Severity.INFO, "login", f"{account.principal} logged in from {address}")
            events.record(connection, event, Actor(account.principal), now)
        return token, now + self._limits().absolute

    def find_session(self, token: str) -> Account:
        """Find whose session a token is, and note that it is used. Raises VirtnodeError (denied)."""
        digest, now = _digest(token), self._clock()
        with self._store.read() as connection:
            row = account_rows.find_session(connection, digest)
            owner = account_rows.find_account_by_id(connection, row.account_id) if row else None
        if row is None or owner is None or not self._is_alive(row, now):
            raise VirtnodeError(Code.DENIED, "the session is over", "log in again")
        if row.last_used + min(TOUCH_SECONDS, self._limits().idle / 2) <= now:
            with self._store.write() as connection:
                account_rows.touch_session(connection, digest, now)
        return _account(owner)

    def close_session(self, token: str) -> bool:
        """End a session; tells whether there was one."""
        with self._store.write() as connection:
            return account_rows.delete_session(connection, _digest(token))

    def add(self, name: str, role: Role, password: str, actor: Actor = ENGINE) -> Account:
        """Add an account.

        Raises VirtnodeError: invalid for a bad name or password, conflict for a known name.
        """
        if not _NAME.fullmatch(name):
            raise VirtnodeError(
                Code.INVALID,
                f"{name!r} is no name for an account",
                "small letters, digits, `_`, `.` and `-`, at most 32, beginning with a letter",
            )
        check_password(password)
        row = AccountRow(
            id=str(uuid.UUID(bytes=self._random(16), version=4)),
            name=name,
            role=role.value,
            password=hash_password(password, self._cost, self._random(16)),
            created_at=self._clock(),
        )
        with self._store.write() as connection:
            if account_rows.find_account(connection, name):
                raise VirtnodeError(
                    Code.CONFLICT, f"there is an account {name} already", _ADMINISTRATORS_HINT
                )
            account_rows.insert_account(connection, row)
            self._record(connection, "account-added", f"{name} was added as {role}", actor)
        return _account(row)

    def list(self) -> tuple[Account, ...]:
        """List the accounts by name."""
        with self._store.read() as connection:
            return tuple(_account(row) for row in account_rows.list_accounts(connection))

    def set_password(self, name: str, password: str, actor: Actor = ENGINE) -> None:
        """Change a password; every session of the account ends."""
        check_password(password)
        stored = hash_password(password, self._cost, self._random(16))
        with self._store.write() as connection:
            row = _known(connection, name)
            account_rows.update_account(connection, row.id, password=stored)
            account_rows.delete_sessions_of(connection, row.id)
            self._record(connection, "password-changed", f"the password of {row.name} was changed", actor)

    def remove(self, name: str, actor: Actor = ENGINE) -> None:
        """Remove an account and its sessions; the last administrator stays."""
        with self._store.write() as connection:
            row = _known(connection, name)
            administrator = row.role == Role.ADMINISTRATOR
            if administrator and account_rows.count_accounts(connection, Role.ADMINISTRATOR) == 1:
                raise VirtnodeError(
                    Code.CONFLICT, f"{name} is the last administrator", "add another administrator first"
                )
            account_rows.delete_account(connection, row.id)
            self._record(connection, "account-removed", f"{row.name} was removed", actor)

    def _is_alive(self, session: SessionRow, now: float) -> bool:
        return now < session.expires and now < session.last_used + self._limits().idle

    def _record(self, connection: Connection, kind: str, text: str, actor: Actor) -> None:
        events.record(connection, Event(Severity.INFO, kind, text), actor, self._clock())

    def _record_refusal(self, name: str, address: str) -> None:
        """Remember a wrong name or password, but not an unknown name: it may well be a password."""
        with self._store.write() as connection:
            known = name if _find(connection, name) else "an unknown name"
            text = f"a wrong name or password from {address}, for {known}"
            event = Event(Severity.WARNING, "login-refused", text)
            events.record(connection, event, ENGINE, self._clock())
        logger.warning("%s", text)

    def _password_is_right(self, password: str, stored: str | None) -> bool:
        """Try a password: by scrypt, or by what was right for this very hash a minute ago.

        Clients that send a password with each request would else cost a hypervisor's worth of scrypt.
        """
        if len(password) > LONGEST_PASSWORD:
            return False
        now = self._steady()
        mark = hmac.digest(self._cache_key, f"{stored}\0{password}".encode(errors="replace"), "sha256")
        if stored is not None and self._checked.get(mark, 0.0) > now:
            return True
        right = check_password_hash(password, stored or self._nobody) and stored is not None
        if right:
            self._checked = {key: until for key, until in self._checked.items() if until > now}
            self._checked[mark] = now + 60.0
        return right


def account_name(given: str) -> str:
    """Take the domain from a name: `admin@internal` is `admin`."""
    return given.removesuffix(f"@{DOMAIN}").strip().lower()


def read_role(word: str) -> Role:
    """Read a role as somebody typed it. Raises VirtnodeError (invalid)."""
    try:
        return Role(word)
    except ValueError as error:
        raise VirtnodeError(Code.INVALID, f"{word!r} is no role", f"roles are {', '.join(Role)}") from error


def _account(row: AccountRow) -> Account:
    return Account(row.id, row.name, Role(row.role), row.created_at, row.last_login)


def _find(connection: Connection, name: str) -> AccountRow | None:
    """Find an account; what cannot be a name is not looked up, for not every database would take it."""
    return account_rows.find_account(connection, name) if _NAME.fullmatch(name) else None


def _known(connection: Connection, name: str) -> AccountRow:
    row = _find(connection, account_name(name))
    if row is None:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no account {printable(name, 60)}", _ADMINISTRATORS_HINT
        )
    return row


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _network(address: str) -> str:
    """Name what one party surely owns: an IPv4 address, or the 64 bits that IPv6 gives to a network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
