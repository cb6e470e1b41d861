"""Backups: written while the engine works, restored whole or not at all."""

import contextlib
import io
import json
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backup import MANIFEST, READY, finish_restore, restore_backup, write_backup
from engine.home import locked_home
from engine.nodes import Nodes
from engine.pki import Pki
from engine.store.database import Store, open_store
from engine.tokens import list_tokens
from nodelib.errors import Code, VirtnodeError
from tests.engine.databases import fresh_database
from tests.engine.worlds import ADMIN, START, Clock, World

Members = dict[str, bytes]


def read_members(path: Path) -> Members:
    """Read a backup's members."""
    members: Members = {}
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member)
            assert content is not None
            members[member.name] = content.read()
    return members


def write_members(path: Path, members: Members) -> None:
    """Write a backup of these members, whatever they are."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_everything_comes_back(world: World, database: str, tmp_path: Path) -> None:
    """Nodes, tokens, events and the authority are as they were, and what came later is gone."""
    node = world.joined()
    token, pin = world.token(uses=5), world.pki.active().pin
    before, events = world.nodes.list(), world.event_kinds()
    target = tmp_path / "backup.tar"
    write_backup(tmp_path, world.store, target, START)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    late = world.joined(5)
    world.nodes.remove(node.id, ADMIN)

    home = tmp_path / "restored"
    url = "" if world.store.dialect == "sqlite" else database
    manifest = restore_backup(home, url, target)
    assert manifest.time == START
    with contextlib.closing(open_store(url or f"sqlite:///{home}/engine.db")) as store:
        pki = Pki(home)
        assert not pki.prepare(START)
        assert pki.active().pin == pin
        nodes = Nodes(store, pki, clock=world.clock, steady=world.steady)
        assert [one.id for one in nodes.list()] == [one.id for one in before]
        assert late.id not in {one.id for one in nodes.list()}
        again = World(store, pki, nodes, world.clock, world.steady)
        assert again.event_kinds() == events
        assert token[4:12] in {one.id for one in list_tokens(store)}
        # Numbers go on where they were.
        again.joined(6)
        assert again.event_kinds()[: len(events)] == events


def test_a_backup_goes_into_either_database(world: World, postgresql: str, tmp_path: Path) -> None:
    """A backup of PostgreSQL makes a SQLite file; one of SQLite fills PostgreSQL."""
    world.joined()
    target, home = tmp_path / "backup.tar", tmp_path / "restored"
    write_backup(tmp_path, world.store, target, START)
    other = "" if world.store.dialect == "postgresql" else fresh_database(postgresql)
    restore_backup(home, other, target)
    with contextlib.closing(open_store(other or f"sqlite:///{home}/engine.db")) as store:
        restored = Nodes(store, Pki(home), clock=world.clock, steady=world.steady)
        assert restored.list() == world.restarted().nodes.list()
        World(store, Pki(home), restored, world.clock, world.steady).joined(2)


@pytest.fixture
def sqlite_world(tmp_path: Path) -> World:
    """Make an engine over a file."""
    store: Store = open_store(f"sqlite:///{tmp_path}/engine.db")
    pki = Pki(tmp_path)
    pki.prepare(START)
    return World(store, pki, Nodes(store, pki, clock=Clock(), steady=Clock()), Clock(), Clock())


def cut(members: Members) -> Members:
    """Lose the authority."""
    return {name: content for name, content in members.items() if name != "ca/active.pem"}


def change_byte(members: Members) -> Members:
    """Change one byte of the database."""
    content = bytearray(members["engine.db"])
    content[len(content) // 2] ^= 1
    return {**members, "engine.db": bytes(content)}


def with_manifest(**values: object) -> Callable[[Members], Members]:
    """Change the manifest."""

    def change(members: Members) -> Members:
        manifest = {**json.loads(members[MANIFEST]), **values}
        return {**members, MANIFEST: json.dumps(manifest).encode()}

    return change


def climb(members: Members) -> Members:
    """Name a member so that it would land somewhere else."""
    return {**members, "../../evil": b"x"}


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (cut, Code.INVALID, "no backup, or is broken"),
        (change_byte, Code.INVALID, "no backup, or is broken"),
        (climb, Code.INVALID, "no backup, or is broken"),
        (with_manifest(format=99), Code.CONFLICT, "newer engine"),
        (with_manifest(schema=99), Code.CONFLICT, "newer engine"),
        (with_manifest(format="1"), Code.INVALID, "no backup, or is broken"),
        (with_manifest(sums={}), Code.INVALID, "no backup, or is broken"),
        (lambda members: {"x": b""}, Code.INVALID, "no backup, or is broken"),
        (lambda members: {MANIFEST: b"not json"}, Code.INVALID, "no backup, or is broken"),
    ],
)
def test_a_broken_backup_changes_nothing(
    sqlite_world: World, tmp_path: Path, change: Callable[[Members], Members], code: Code, message: str
) -> None:
    """Each gets one clear line, and the engine's folder is as it was."""
    sqlite_world.joined()
    target = tmp_path / "backup.tar"
    write_backup(tmp_path, sqlite_world.store, target, START)
    write_members(target, change(read_members(target)))
    home = tmp_path / "other"
    (home / "ca").mkdir(parents=True)
    (home / "engine.db").write_bytes(b"what was")
    with pytest.raises(VirtnodeError, match=message) as refused:
        restore_backup(home, "", target)
    assert refused.value.code is code
    assert (home / "engine.db").read_bytes() == b"what was"
    assert sorted(path.name for path in home.iterdir()) == ["ca", "engine.db", "engine.lock"]
    sqlite_world.store.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 1000])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    """Any file may be named by mistake."""
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(VirtnodeError, match="no backup"):
        restore_backup(tmp_path / "home", "", tmp_path / "x")
    with pytest.raises(VirtnodeError, match="there is no file"):
        restore_backup(tmp_path / "home", "", tmp_path / "y")


def test_a_running_engine_is_not_restored(tmp_path: Path) -> None:
    """It would go on writing into what was replaced."""
    (tmp_path / "x").write_bytes(b"")
    with locked_home(tmp_path), pytest.raises(VirtnodeError, match="at work") as refused:
        restore_backup(tmp_path, "", tmp_path / "x")
    assert refused.value.code is Code.BUSY


def test_a_restore_that_was_cut_short_is_finished_at_the_next_start(
    sqlite_world: World, tmp_path: Path
) -> None:
    """Wherever the process was killed after the one renaming that decides, the next start ends it."""
    node = sqlite_world.joined()
    target = tmp_path / "backup.tar"
    write_backup(tmp_path, sqlite_world.store, target, START)
    sqlite_world.store.close()
    home = tmp_path / "home"
    home.mkdir()
    program = f"""
import sys
from pathlib import Path
import engine.backup
steps = int(sys.argv[1])
def killed(event, arguments):
    global steps
    if event in ("os.rename", "os.remove", "shutil.rmtree") and str(arguments[0]).startswith({str(home)!r}):
        steps -= 1
        if steps < 0:
            import os
            os.kill(os.getpid(), 9)
sys.addaudithook(killed)
engine.backup.restore_backup(Path({str(home)!r}), "", Path({str(target)!r}))
"""
    outcomes = set()
    for steps in range(40):
        shutil.rmtree(home)
        (home / "ca").mkdir(parents=True)
        (home / "engine.db").write_bytes(b"former")
        (home / "ca/next.pem").write_bytes(b"former")
        done = subprocess.run([sys.executable, "-c", program, str(steps)], check=False, cwd=Path.cwd())
        finish_restore(home)
        content = (home / "engine.db").read_bytes()
        if content == b"former":
            assert (home / "ca/next.pem").read_bytes() == b"former"
            assert not (home / "ca/active.pem").exists()
        else:
            assert not (home / "ca/next.pem").exists()
            with contextlib.closing(open_store(f"sqlite:///{home}/engine.db")) as store:
                assert [one.id for one in Nodes(store, Pki(home)).list()] == [node.id]
        assert not (home / READY).exists()
        outcomes.add((content == b"former", done.returncode))
        if done.returncode == 0:
            break
    assert outcomes == {(True, -9), (False, -9), (False, 0)}


def test_a_backup_into_a_folder_that_is_not_there(sqlite_world: World, tmp_path: Path) -> None:
    """One line, and nothing is made."""
    with pytest.raises(VirtnodeError, match="there is no folder"):
        write_backup(tmp_path, sqlite_world.store, tmp_path / "none/backup.tar", START)
    sqlite_world.store.close()
