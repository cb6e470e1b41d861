"""Databases of both kinds, and the rules of an engine above them."""

import contextlib
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.nodes import Nodes
from engine.pki import Pki
from engine.store.database import Store, open_store
from tests.engine.databases import drop_database, fresh_database
from tests.engine.worlds import Clock, World


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Run PostgreSQL on a Unix socket, and give the URL of its first database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if not found[-1].name:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    if os.geteuid() != 0:
        pytest.skip("running PostgreSQL as its own user needs root")
    tools = found[-1].parent
    folder = Path(f"/tmp/virtnode-pg-{uuid.uuid4().hex[:8]}")
    folder.mkdir(mode=0o700)
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)

    def run(*words: str | Path) -> None:
        argv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", *words]
        subprocess.run(argv, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    try:
        run(tools / "initdb", "-D", folder / "data", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run(tools / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "-o", settings, "start")
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(tools / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Name an empty database of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/engine.db"
        return
    url = fresh_database(request.getfixturevalue("postgresql"))
    yield url
    drop_database(url)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """Open an empty database of either kind."""
    with contextlib.closing(open_store(database)) as opened:
        yield opened


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    """Make the rules of an engine that has run for a while."""
    clock, steady = Clock(), Clock(1000.0)
    pki = Pki(tmp_path)
    pki.prepare(clock())
    nodes = Nodes(store, pki, clock=clock, steady=steady)
    made = World(store, pki, nodes, clock, steady)
    made.pass_by(301)
    return made
