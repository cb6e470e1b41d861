"""Statements on settings: a name and a JSON value each."""

from sqlalchemy import Connection, delete, insert, select

from engine.store.schema import SETTINGS


def read_settings(connection: Connection) -> dict[str, str]:
    """Read what differs from the defaults."""
    rows = connection.execute(select(SETTINGS.c.name, SETTINGS.c.value))
    return {str(name): str(value) for name, value in rows}


def write_setting(connection: Connection, name: str, value: str) -> None:
    """Set one."""
    connection.execute(delete(SETTINGS).where(SETTINGS.c.name == name))
    connection.execute(insert(SETTINGS).values(name=name, value=value))
