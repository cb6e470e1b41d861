"""All rows as lines of JSON, for a backup of a database that is no file."""

import json
from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, insert, text

from engine.store.schema import METADATA
from nodelib.errors import Code, VirtnodeError


def dump_rows(connection: Connection) -> Iterator[str]:
    """Write each row of each table, those first that others refer to."""
    if connection.dialect.name == "postgresql":
        # All tables as of one moment.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    for table in METADATA.sorted_tables:
        for row in connection.execute(table.select()):
            yield json.dumps({"table": table.name, "row": dict(row._mapping)})


def load_rows(connection: Connection, lines: Iterable[str]) -> None:
    """Put rows in the place of all that is there. Raises VirtnodeError (invalid) for what is no row."""
    for table in reversed(METADATA.sorted_tables):
        connection.execute(table.delete())
    for line in lines:
        try:
            entry = json.loads(line)
            table, row = METADATA.tables[entry["table"]], entry["row"]
            connection.execute(insert(table), [{column.name: row[column.name] for column in table.c}])
        except (ValueError, KeyError, TypeError) as error:
            raise VirtnodeError(Code.INVALID, "a row of the backup cannot be read") from error
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence('events', 'id'), greatest(max(id), 1)) FROM events")
        )
