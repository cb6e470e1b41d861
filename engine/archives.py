"""Support archives that nodes sent: files below the engine's folder, a few for each node."""

import base64
import binascii
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.events import Actor, Event, record
from engine.files import sync_folder
from engine.store.database import Store
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ARCHIVE_PART, LARGEST_ARCHIVE, ArchivePart, ArchiveReply, Severity

FOLDER = "archives"
ENDING = ".tar.gz"
MOST_OF_NODE = 5
MOST_BYTES_OF_NODE = 2 * LARGEST_ARCHIVE
"""What one node may have here; its oldest archives make room."""
ROOM_TO_LEAVE = 512 << 20
"""Bytes of the disk that archives do not take from the database."""
NAME = re.compile(r"[0-9a-f-]{1,64}")
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Archive:
    """An archive that is here whole."""

    id: str
    node: str
    size_bytes: int
    time: float
    """When it came: seconds since 1970."""
    path: Path


class Archives:
    """The archives of one engine; any thread may call."""

    def __init__(
        self,
        home: Path,
        store: Store,
        clock: Callable[[], float],
        *,
        make_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._folder = home / FOLDER
        self._store = store
        self._clock = clock
        self._make_id = make_id
        self._lock = threading.Lock()

    def take(self, node: str, part: ArchivePart) -> ArchiveReply:
        """Keep a part of an archive; the last one makes it whole, and it has an identifier from then on.

        Raises VirtnodeError: invalid for what is no part, conflict for one that does not follow the one
        before, unavailable where the disk has no room.
        """
        data = _check_part(part)
        with self._lock:
            folder = self._folder_of(node)
            partial = folder / f".{part.digest}.part"
            if part.offset == 0:
                self._make_room(folder, part.size_bytes)
            received = _append(partial, part.offset, data)
            if received < part.size_bytes:
                return ArchiveReply(received)
            return ArchiveReply(received, self._finish(node, partial, part.digest))

    def list(self, node: str = "") -> tuple[Archive, ...]:
        """List the archives of a node, or of all, the latest first."""
        pattern = f"{node or '*'}/*{ENDING}"
        found = [_read(path) for path in self._folder.glob(pattern)]
        return tuple(sorted(filter(None, found), key=lambda one: (-one.time, one.id)))

    def get(self, identifier: str, node: str = "") -> Archive:
        """Find an archive. Raises VirtnodeError (not-found)."""
        for archive in self.list(node):
            if archive.id == identifier:
                return archive
        raise VirtnodeError(
            Code.NOT_FOUND,
            f"there is no archive {identifier[:60]}",
            "virtnode-engine archives list shows them",
        )

    def read(self, identifier: str, actor: Actor, node: str = "") -> bytes:
        """Return an archive's bytes; the log keeps who read it. Raises VirtnodeError (not-found)."""
        archive = self.get(identifier, node)
        try:
            content = archive.path.read_bytes()
        except FileNotFoundError as error:
            raise VirtnodeError(Code.NOT_FOUND, f"archive {identifier} is gone by now") from error
        self._note("archive-read", f"support archive {archive.id} was read", archive.node, actor)
        return content

    def remove(self, identifier: str, actor: Actor, node: str = "") -> None:
        """Remove an archive. Raises VirtnodeError (not-found)."""
        archive = self.get(identifier, node)
        archive.path.unlink(missing_ok=True)
        sync_folder(archive.path.parent)
        self._note("archive-removed", f"support archive {archive.id} was removed", archive.node, actor)

    def _folder_of(self, node: str) -> Path:
        if not NAME.fullmatch(node):
            raise VirtnodeError(Code.INVALID, "this is no node's identifier")
        folder = self._folder / node
        for made in (self._folder, folder):
            made.mkdir(mode=0o700, exist_ok=True)
        return folder

    def _make_room(self, folder: Path, size: int) -> None:
        """Drop what was never finished, and the oldest archives of the node beyond what it may have."""
        for path in folder.glob(".*.part"):
            path.unlink(missing_ok=True)
        kept = list(self.list(folder.name))
        while kept and (
            len(kept) >= MOST_OF_NODE or sum(one.size_bytes for one in kept) + size > MOST_BYTES_OF_NODE
        ):
            kept.pop().path.unlink(missing_ok=True)
        if shutil.disk_usage(folder).free < size + ROOM_TO_LEAVE:
            raise VirtnodeError(
                Code.UNAVAILABLE,
                "the engine's disk has no room for an archive",
                "remove some: virtnode-engine archives remove ID",
            )

    def _finish(self, node: str, partial: Path, digest: str) -> str:
        if hashlib.sha256(partial.read_bytes()).hexdigest() != digest:
            partial.unlink()
            raise VirtnodeError(Code.INVALID, "the archive was damaged on its way", "send it again")
        identifier = self._make_id()
        now = self._clock()
        os.utime(partial, (now, now))
        partial.rename(partial.with_name(f"{identifier}{ENDING}"))
        sync_folder(partial.parent)
        self._note("archive-received", f"support archive {identifier} came", node, Actor(f"node:{node}"))
        return identifier

    def _note(self, kind: str, text: str, node: str, actor: Actor) -> None:
        with self._store.write() as connection:
            record(connection, Event(Severity.INFO, kind, text, node), actor, self._clock())


def _check_part(part: ArchivePart) -> bytes:
    """Read a part's bytes; raises VirtnodeError (invalid) for one that cannot be."""
    if not DIGEST.fullmatch(part.digest):
        raise VirtnodeError(Code.INVALID, "the digest is no SHA-256")
    if not 0 < part.size_bytes <= LARGEST_ARCHIVE:
        raise VirtnodeError(Code.INVALID, f"an archive has at most {LARGEST_ARCHIVE >> 20} MiB")
    try:
        data = base64.b64decode(part.data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise VirtnodeError(Code.INVALID, "the part is no base64") from error
    if not 0 < len(data) <= ARCHIVE_PART or not 0 <= part.offset <= part.size_bytes - len(data):
        raise VirtnodeError(Code.INVALID, "the part does not lie within the archive")
    return data


def _append(partial: Path, offset: int, data: bytes) -> int:
    """Write a part behind those before it; returns how many bytes are there."""
    there = partial.stat().st_size if partial.exists() else 0
    if offset != there:
        raise VirtnodeError(
            Code.CONFLICT, f"the part begins at {offset}, and {there} bytes are here", "begin anew"
        )
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(handle, data)
        os.fsync(handle)
    except OSError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"the archive cannot be kept: {error.strerror}",
            "free some of the engine's disk",
        ) from error
    finally:
        os.close(handle)
    return partial.stat().st_size


def _read(path: Path) -> Archive | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    identifier = path.name.removesuffix(ENDING)
    return Archive(identifier, path.parent.name, found.st_size, found.st_mtime, path)
