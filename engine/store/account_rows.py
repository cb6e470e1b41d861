"""Statements on accounts, and on the sessions that they opened."""

from dataclasses import asdict, dataclass, fields

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, or_, select, update

from engine.store.schema import ACCOUNTS, SESSIONS


@dataclass(frozen=True)
class AccountRow:
    """An account as it is stored; `password` is a hash with its parameters."""

    id: str
    name: str
    role: str
    password: str
    created_at: float
    last_login: float | None = None


@dataclass(frozen=True)
class SessionRow:
    """A session; of its token only the digest is kept."""

    digest: str
    account_id: str
    address: str
    created_at: float
    last_used: float
    expires: float


ACCOUNT_COLUMNS = [ACCOUNTS.c[field.name] for field in fields(AccountRow)]
SESSION_COLUMNS = [SESSIONS.c[field.name] for field in fields(SessionRow)]
ACCOUNT_BY_ID = select(*ACCOUNT_COLUMNS).where(ACCOUNTS.c.id == bindparam("wanted"))
SESSION_BY_DIGEST = select(*SESSION_COLUMNS).where(SESSIONS.c.digest == bindparam("wanted"))


def insert_account(connection: Connection, row: AccountRow) -> None:
    """Add an account."""
    connection.execute(insert(ACCOUNTS), [asdict(row)])


def find_account(connection: Connection, name: str) -> AccountRow | None:
    """Find an account by its name."""
    return _account(connection.execute(select(*ACCOUNT_COLUMNS).where(ACCOUNTS.c.name == name)).first())


def find_account_by_id(connection: Connection, account_id: str) -> AccountRow | None:
    """Find an account by its identifier."""
    return _account(connection.execute(ACCOUNT_BY_ID, {"wanted": account_id}).first())


def list_accounts(connection: Connection) -> tuple[AccountRow, ...]:
    """List the accounts by name."""
    rows = connection.execute(select(*ACCOUNT_COLUMNS).order_by(ACCOUNTS.c.name))
    return tuple(AccountRow(**row._mapping) for row in rows)


def update_account(connection: Connection, account_id: str, **values: str | float) -> None:
    """Change some columns of an account."""
    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == account_id).values(**values))


def delete_account(connection: Connection, account_id: str) -> None:
    """Remove an account, and its sessions with it."""
    connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.id == account_id))


def count_accounts(connection: Connection, role: str) -> int:
    """Count the accounts of a role."""
    query = select(func.count()).select_from(ACCOUNTS).where(ACCOUNTS.c.role == role)
    return int(connection.execute(query).scalar_one())


def insert_session(connection: Connection, row: SessionRow) -> None:
    """Add a session."""
    connection.execute(insert(SESSIONS), [asdict(row)])


def find_session(connection: Connection, digest: str) -> SessionRow | None:
    """Find a session."""
    row = connection.execute(SESSION_BY_DIGEST, {"wanted": digest}).first()
    return None if row is None else SessionRow(**row._mapping)


def touch_session(connection: Connection, digest: str, now: float) -> None:
    """Note that a session was used."""
    connection.execute(update(SESSIONS).where(SESSIONS.c.digest == digest).values(last_used=now))


def delete_session(connection: Connection, digest: str) -> bool:
    """End a session; tell whether there was one."""
    return connection.execute(delete(SESSIONS).where(SESSIONS.c.digest == digest)).rowcount > 0


def delete_sessions_of(connection: Connection, account_id: str) -> None:
    """End every session of an account."""
    connection.execute(delete(SESSIONS).where(SESSIONS.c.account_id == account_id))


def delete_stale_sessions(connection: Connection, now: float, unused_since: float) -> None:
    """Forget the sessions that nobody can use any more."""
    stale = or_(SESSIONS.c.expires <= now, SESSIONS.c.last_used <= unused_since)
    connection.execute(delete(SESSIONS).where(stale))


def _account(row: Row[tuple[object, ...]] | None) -> AccountRow | None:
    return None if row is None else AccountRow(**row._mapping)
