"""One file with everything that an engine knows: database, authority, its own key.

The file is a tar archive. Its first member, `manifest.json`, names the version and the digest of every other.
The database is a SQLite file as of one moment, or, of PostgreSQL, one line of JSON for each row.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.files import sync_folder, write_file
from engine.home import locked_home
from engine.store.database import Store, check_sqlite, open_store
from engine.store.dump import dump_rows, load_rows
from engine.store.migrations import MIGRATIONS
from nodelib.codec import from_json, to_json
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

FORMAT = 1
MANIFEST = "manifest.json"
READY = "restore-ready"
SQLITE_NAME, ROWS_NAME = "engine.db", "rows.jsonl"
FILES = ("ca/active.pem", "ca/next.pem", "ca/former.pem", "server.pem", "engine.id")
"""What belongs to a backup beside the database, where it is there."""
LARGEST_MEMBER = 4 << 30


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself; `sums` are SHA-256 by member."""

    format: int
    schema: int
    time: float
    sums: Mapping[str, str]


def write_backup(home: Path, store: Store, target: Path, now: float) -> None:
    """Write a backup, whole or not at all; only its owner may read it."""
    if not target.parent.is_dir():
        raise VirtnodeError(Code.NOT_FOUND, f"there is no folder {target.parent}", "make it first")
    with tempfile.TemporaryDirectory(prefix=".virtnode-backup-", dir=target.parent) as name:
        members = _collect(home, store, Path(name))
        sums = {member: _digest(path) for member, path in members.items()}
        manifest = to_json(Manifest(FORMAT, store.version(), now, sums)).encode()
        made = Path(name) / "backup.tar"
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.addfile(_member(MANIFEST, len(manifest), now), io.BytesIO(manifest))
                for member, path in members.items():
                    with path.open("rb") as content:
                        archive.addfile(_member(member, path.stat().st_size, now), content)
            file.flush()
            os.fsync(file.fileno())
        made.replace(target)
    sync_folder(target.parent)


def restore_backup(home: Path, database: str, source: Path) -> Manifest:
    """Put a backup in the place of what an engine knows now.

    Everything is read and checked before anything changes; then one renaming decides, and whatever is cut
    short after it is finished by `finish_restore` at the next start. Rows of PostgreSQL are replaced just
    before, in one transaction. Raises VirtnodeError: busy while an engine runs, invalid for a file that is no
    backup or is broken, conflict for one of a newer engine.
    """
    with locked_home(home, make=True), tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as name:
        staging = Path(name)
        manifest = _unpack(source, staging)
        if SQLITE_NAME in manifest.sums:
            check_sqlite(staging / SQLITE_NAME)
        if database:
            _restore_postgresql(database, staging, manifest)
            (staging / SQLITE_NAME).unlink(missing_ok=True)
        elif SQLITE_NAME not in manifest.sums:
            _make_sqlite(staging)
        (staging / ROWS_NAME).unlink(missing_ok=True)
        sync_folder(staging)
        shutil.rmtree(home / READY, ignore_errors=True)
        staging.replace(home / READY)
        staging.mkdir()
        sync_folder(home)
        finish_restore(home)
    return manifest


def finish_restore(home: Path) -> None:
    """Put in place what a restore has made ready, if there is something; done twice it is as done once."""
    ready = home / READY
    if not ready.is_dir():
        return
    logger.info("restore: put in place what the backup had")
    (home / "ca").mkdir(mode=0o700, exist_ok=True)
    for name in FILES:
        if (ready / name).exists():
            write_file(home / name, (ready / name).read_bytes())
        else:
            (home / name).unlink(missing_ok=True)
    if (ready / SQLITE_NAME).exists():
        # What a former database has not yet taken in must not be taken in by this one.
        for ending in ("-wal", "-shm"):
            (home / f"{SQLITE_NAME}{ending}").unlink(missing_ok=True)
        (ready / SQLITE_NAME).replace(home / SQLITE_NAME)
    sync_folder(home / "ca")
    sync_folder(home)
    shutil.rmtree(ready)


def _collect(home: Path, store: Store, staging: Path) -> dict[str, Path]:
    if store.dialect == "sqlite":
        database = staging / SQLITE_NAME
        store.copy_to(str(database))
        members = {SQLITE_NAME: database}
    else:
        rows = staging / ROWS_NAME
        with rows.open("w", encoding="utf-8") as file, store.read() as connection:
            file.writelines(f"{line}\n" for line in dump_rows(connection))
        members = {ROWS_NAME: rows}
    return members | {name: home / name for name in FILES if (home / name).exists()}


def _unpack(source: Path, staging: Path) -> Manifest:
    """Read a backup into an empty folder, and check every byte of it."""
    broken = VirtnodeError(Code.INVALID, f"{source} is no backup, or is broken", "take another backup")
    try:
        with tarfile.open(source, "r:") as archive:
            first = archive.next()
            content = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
            if content is None:
                raise broken
            text = content.read(1 << 20)
            _check_version(source, text)
            manifest = from_json(Manifest, text)
            for member in archive:
                if member.name != MANIFEST:
                    _unpack_member(archive, member, manifest, staging, broken)
    except FileNotFoundError as error:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no file {source}") from error
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise broken from error
    except VirtnodeError as error:
        if error.code is Code.CONFLICT:
            raise
        raise broken from error
    missing = [name for name in manifest.sums if not (staging / name).exists()]
    if missing or not {SQLITE_NAME, ROWS_NAME} & set(manifest.sums) or FILES[0] not in manifest.sums:
        raise broken
    return manifest


def _check_version(source: Path, text: bytes) -> None:
    """Refuse what a newer engine wrote before looking any closer: it may mean something else by it."""
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no manifest")
    form, schema = document.get("format"), document.get("schema")
    if not isinstance(form, int) or not isinstance(schema, int):
        raise ValueError("no versions")
    if form > FORMAT or schema > MIGRATIONS[-1].version:
        raise VirtnodeError(
            Code.CONFLICT, f"{source} is of a newer engine", "update this engine, then restore"
        )


def _unpack_member(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    manifest: Manifest,
    staging: Path,
    broken: VirtnodeError,
) -> None:
    known = {SQLITE_NAME, ROWS_NAME, *FILES} & set(manifest.sums)
    content = archive.extractfile(member) if member.isreg() and member.name in known else None
    if content is None or member.size > LARGEST_MEMBER:
        raise broken
    path = staging / PurePosixPath(member.name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        file.flush()
        os.fsync(file.fileno())
    if _digest(path) != manifest.sums[member.name]:
        raise broken


def _restore_postgresql(database: str, staging: Path, manifest: Manifest) -> None:
    """Load rows into PostgreSQL in one transaction: all of them, or what was there stays."""
    if SQLITE_NAME in manifest.sums:
        with closing(open_store(f"sqlite:///{staging / SQLITE_NAME}")) as old, old.read() as connection:
            lines = list(dump_rows(connection))
    else:
        lines = (staging / ROWS_NAME).read_text(encoding="utf-8").splitlines()
    with closing(open_store(database)) as store, store.write() as connection:
        load_rows(connection, lines)


def _make_sqlite(staging: Path) -> None:
    """Make a SQLite file of rows that came from PostgreSQL."""
    lines = (staging / ROWS_NAME).read_text(encoding="utf-8").splitlines()
    with closing(open_store(f"sqlite:///{staging / SQLITE_NAME}")) as store:
        with store.write() as connection:
            load_rows(connection, lines)
        store.copy_to(str(staging / "copy.db"))
    (staging / "copy.db").replace(staging / SQLITE_NAME)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _member(name: str, size: int, now: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(now)
    return member
