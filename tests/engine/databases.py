"""Databases in the PostgreSQL of the tests."""

import subprocess
import uuid


def fresh_database(server: str) -> str:
    """Make another database in PostgreSQL; returns its URL."""
    name = f"t{uuid.uuid4().hex}"
    _command(server, f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


def drop_database(url: str) -> None:
    """Take one away, whoever uses it: each holds megabytes."""
    name = url.partition("@/")[2].partition("?")[0]
    _command(url, f"DROP DATABASE {name} WITH (FORCE)")


def _command(url: str, command: str) -> None:
    folder = url.rpartition("host=")[2]
    subprocess.run(["psql", "-q", "-h", folder, "-U", "postgres", "-c", command], check=True)
