"""The database: its steps, its transactions, and what it refuses."""

import contextlib
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from engine.store import event_rows, setting_rows
from engine.store.database import Store, open_store
from engine.store.event_rows import EventRow
from engine.store.migrations import MIGRATIONS, Migration
from engine.store.schema import METADATA
from nodelib.errors import Code, VirtnodeError
from tests.engine.databases import fresh_database


def fail_midway(connection: Connection) -> None:
    """Change something, then break."""
    connection.execute(text("CREATE TABLE half_done (id TEXT)"))
    raise VirtnodeError(Code.FAILED, "broke")


def add_table(connection: Connection) -> None:
    """Change something."""
    connection.execute(text("CREATE TABLE added (id TEXT)"))


def test_steps_lead_to_the_schema(store: Store) -> None:
    """What the migrations make has the columns that the statements use."""
    with store.read() as connection:
        found = {
            name: {
                column["name"]: column["nullable"]
                # To SQLite a number that counts up is nullable, and never null.
                and (name, column["name"]) != ("events", "id")
                for column in inspect(connection).get_columns(name)
            }
            for name in inspect(connection).get_table_names()
        }
    wanted = {
        table.name: {column.name: column.nullable for column in table.columns}
        for table in METADATA.sorted_tables
    }
    assert found == {**wanted, "schema_version": {"version": False}}


def test_opening_again_changes_nothing(store: Store, database: str) -> None:
    """Steps that were applied are not applied again."""
    with contextlib.closing(open_store(database)) as again:
        assert again.version() == store.version() == MIGRATIONS[-1].version


def test_a_step_that_fails_leaves_nothing(store: Store, database: str) -> None:
    """A step is applied whole, or not at all, and the next start tries again."""
    last = MIGRATIONS[-1].version
    with pytest.raises(VirtnodeError, match="broke"):
        open_store(database, (*MIGRATIONS, Migration(last + 1, fail_midway)))
    assert store.version() == last
    with store.read() as connection:
        assert not inspect(connection).has_table("half_done")
    with contextlib.closing(open_store(database, (*MIGRATIONS, Migration(last + 1, add_table)))) as newer:
        assert newer.version() == last + 1


def test_a_newer_database_is_refused(store: Store, database: str) -> None:
    """An older engine does not touch what it does not understand."""
    last = MIGRATIONS[-1].version
    open_store(database, (*MIGRATIONS, Migration(last + 1, add_table))).close()
    with pytest.raises(VirtnodeError, match=f"version {last + 1}") as refused:
        open_store(database)
    assert refused.value.code is Code.CONFLICT
    assert store.version() == last + 1


@pytest.mark.parametrize("url", ["mysql://there/x", "nonsense", "sqlite+aiosqlite:///x", "postgresql://h/x"])
def test_another_kind_of_database_is_refused(url: str) -> None:
    """Only what was tried is taken."""
    with pytest.raises(VirtnodeError, match="kind") as refused:
        open_store(url)
    assert refused.value.code is Code.INVALID


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """The error says what the database's own library said, in one line."""
    with pytest.raises(VirtnodeError, match="does not answer") as refused:
        open_store(f"postgresql+psycopg://nobody@/none?host={tmp_path}")
    assert refused.value.code is Code.UNAVAILABLE
    assert "\n" not in refused.value.message


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Something else's file is not written over."""
    (tmp_path / "engine.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(VirtnodeError, match="broken"):
        open_store(f"sqlite:///{tmp_path}/engine.db")
    assert (tmp_path / "engine.db").read_bytes() == b"not a database at all" * 100


def test_a_transaction_is_undone_whole(store: Store) -> None:
    """What was written before an error is not there after it."""

    def write_and_break() -> None:
        with store.write() as connection:
            setting_rows.write_setting(connection, "rekey", '"never"')
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write_and_break()
    with store.read() as connection:
        assert setting_rows.read_settings(connection) == {}


def test_old_events_go(store: Store) -> None:
    """Events are kept for a time and up to a number, whichever is less."""
    with store.write() as connection:
        for number in range(20):
            event_rows.insert_event(connection, EventRow(float(number), "info", "k", "t", "a", ""))
        assert event_rows.prune_events(connection, before=5.0, keep=1000) == 5
        assert event_rows.prune_events(connection, before=0.0, keep=10) == 5
        left = event_rows.list_events(connection, newest_first=False)
    assert [event.time for event in left] == [float(number) for number in range(10, 20)]


def test_a_server_that_was_restarted_is_used_again(postgresql: str) -> None:
    """Connections that the server has closed meanwhile are no failure."""
    url = fresh_database(postgresql)
    with contextlib.closing(open_store(url)) as store, contextlib.closing(open_store(url)) as other:
        assert store.version() == other.version()
        with other.read() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        assert store.version() == other.version()
