"""The database: SQLite in a file, or PostgreSQL by URL; its transactions and the version of its tables."""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from engine.store.migrations import MIGRATIONS, Migration
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 30
"""How long a transaction waits for another process to finish its own."""
WRITES = "virtnode_writes"
"""The execution option that tells a transaction which will write."""

__all__ = ["Connection", "Store", "open_store"]


def open_store(url: str, migrations: Sequence[Migration] = MIGRATIONS) -> "Store":
    """Open a database, and bring its tables up to date.

    Raises VirtnodeError: invalid for a URL of another kind, unavailable where nobody answers, conflict for a
    database that a newer engine made.
    """
    try:
        parsed = make_url(url)
    except exc.ArgumentError as error:
        raise _wrong_url() from error
    if parsed.drivername not in ("sqlite", "postgresql+psycopg"):
        raise _wrong_url()
    if parsed.drivername == "sqlite":
        _make_private(Path(parsed.database or ""))
    # A server that was restarted has closed the connections that wait in the pool.
    ping = parsed.drivername != "sqlite"
    options = {"pool_size": 8, "max_overflow": 8, "pool_timeout": BUSY_SECONDS, "pool_pre_ping": ping}
    store = Store(create_engine(parsed, **options))
    try:
        store.migrate(migrations)
    except BaseException:
        store.close()
        raise
    return store


def check_sqlite(path: Path) -> None:
    """See that a file is a whole SQLite database. Raises VirtnodeError (invalid)."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            answer = str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise VirtnodeError(Code.INVALID, f"the database is broken: {answer}", "take another backup")


class Store:
    """Transactions on the database, safe to use from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # SQLite has one writer; waiting here is fairer than its polling, and costs nothing.
        self._writing: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
        if engine.dialect.name == "sqlite":
            self._writing = threading.RLock()
            event.listen(engine, "connect", _prepare_sqlite)
            event.listen(engine, "begin", _begin_sqlite)

    @property
    def dialect(self) -> str:
        """Name the kind of database: sqlite or postgresql."""
        return self._engine.dialect.name

    @property
    def path(self) -> str:
        """Name the file of a SQLite database; empty for another."""
        return (self._engine.url.database or "") if self.dialect == "sqlite" else ""

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads."""
        with _translated(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes: kept whole at the end, or undone whole if anything is raised.

        Raises VirtnodeError (conflict) when a row of that kind is there already. Not to be nested.
        """
        with _translated(), self._writing, self._engine.connect() as connection:
            writing = connection.execution_options(**{WRITES: True})
            with writing.begin():
                yield writing

    def migrate(self, migrations: Sequence[Migration] = MIGRATIONS) -> None:
        """Apply the steps that the database has not seen, each in a transaction of its own."""
        for migration in migrations:
            with self.write() as connection:
                version = _lock_version(connection)
                if version > migrations[-1].version:
                    raise _newer(version, migrations[-1].version)
                if version < migration.version:
                    logger.info("database: bring tables to version %d", migration.version)
                    migration.apply(connection)
                    connection.execute(
                        text("UPDATE schema_version SET version = :version"), {"version": migration.version}
                    )

    def version(self) -> int:
        """Tell which version the tables have."""
        with self.read() as connection:
            return int(connection.execute(text("SELECT version FROM schema_version")).scalar_one())

    def copy_to(self, path: str) -> None:
        """Copy a SQLite database while it is in use to a file, as of one moment."""
        with (
            contextlib.closing(sqlite3.connect(self.path)) as source,
            contextlib.closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, which would let everybody read it; its journals follow suit."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE, f"{path}: {error.strerror or error}", "see who owns it, and that there is space"
        ) from error


def _lock_version(connection: Connection) -> int:
    """Read the version, and keep other engines from migrating at the same time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(1447645764)"))
    if not inspect(connection).has_table("schema_version"):
        connection.execute(text("CREATE TABLE schema_version (version INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO schema_version (version) VALUES (0)"))
    return int(connection.execute(text("SELECT version FROM schema_version")).scalar_one())


def _prepare_sqlite(dbapi: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    # The driver's own idea of when a transaction begins would keep DDL out of it.
    dbapi.isolation_level = None
    cursor = dbapi.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that turns from reading to writing midway fails at once where another one writes.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise VirtnodeError(Code.CONFLICT, "somebody else has just written the same", "try again") from error
    except exc.DataError as error:
        raise VirtnodeError(Code.INVALID, "the database cannot hold that value") from error
    except (exc.OperationalError, exc.TimeoutError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise VirtnodeError(
            Code.UNAVAILABLE, f"the database does not answer: {cause}", "see that it runs and has space"
        ) from error
    except exc.DatabaseError as error:
        raise VirtnodeError(
            Code.FAILED, f"the database is broken: {str(error.orig).splitlines()[0]}", "restore a backup"
        ) from error


def _newer(version: int, known: int) -> VirtnodeError:
    return VirtnodeError(
        Code.CONFLICT,
        f"the database is of version {version}, and this engine knows {known}",
        "start the engine that made it, or restore a backup of this one",
    )


def _wrong_url() -> VirtnodeError:
    return VirtnodeError(
        Code.INVALID,
        "the database's URL is of a kind that the engine does not know",
        "use sqlite:////PATH or postgresql+psycopg://USER@HOST/NAME",
    )
