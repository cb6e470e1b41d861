"""Databases in the PostgreSQL of the tests."""

import subprocess
import uuid


def fresh_database(server: str) -> str:
    """Make another database in PostgreSQL."""
    folder = server.rpartition("host=")[2]
    name = f"t{uuid.uuid4().hex}"
    subprocess.run(
        ["psql", "-q", "-h", folder, "-U", "postgres", "-c", f"CREATE DATABASE {name}"], check=True
    )
    return f"postgresql+psycopg://postgres@/{name}?host={folder}"
