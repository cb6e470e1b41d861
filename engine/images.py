"""The images that nodes can be updated to: bundles below the engine's folder, and what is known of them."""

import base64
import os
import re
import secrets
import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.bundles import Bundle, hash_file, read_bundle
from engine.events import Actor, Event, record
from engine.files import sync_folder
from engine.node import Node
from engine.store import image_rows, roll_rows, update_rows
from engine.store.database import Connection, Store
from engine.store.image_rows import ImageRow
from engine.update_state import UNDER_WAY, is_under_way
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity
from nodelib.link_update import IMAGE_PART, ImagePart, ImagePartRequest
from nodelib.update_bundle import SUFFIX

FOLDER = "images"
ROOM_TO_LEAVE = 512 << 20
"""Bytes of the disk that images do not take from the database."""
SHORTEST_DIGEST = 6
LIST_THEM = "virtnode-engine image list shows them"


@dataclass(frozen=True)
class Image:
    """An image, and whether its bundle is here as well."""

    row: ImageRow
    here: bool


class Images:
    """The images of one engine; any thread may call."""

    def __init__(self, home: Path, store: Store, clock: Callable[[], float]) -> None:
        self._folder = home / FOLDER
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, source: Path, actor: Actor) -> Image:
        """Take a bundle in, after every byte of it was checked; one that is here already changes nothing.

        Raises VirtnodeError: not-found, invalid for a broken bundle, denied for one without a signature,
        unavailable where the disk has no room.
        """
        bundle = read_bundle(source, check_payload=False)
        with self._lock:
            self._make_folder()
            self._tidy()
            partial = self._folder / f".{secrets.token_hex(8)}.part"
            try:
                digest = self._copy(source, partial)
                bundle = read_bundle(partial)
                partial.rename(self._path(digest))
            finally:
                partial.unlink(missing_ok=True)
            sync_folder(self._folder)
            return self._remember(digest, bundle, actor)

    def list(self) -> tuple[Image, ...]:
        """List images, the newest first."""
        with self._store.read() as connection:
            rows = image_rows.list_images(connection)
        return tuple(Image(row, self._path(row.digest).is_file()) for row in rows)

    def find(self, words: str) -> Image:
        """Find an image by digest, the beginning of one, build or version. Raises (not-found or conflict)."""
        images = self.list()
        for match in (_is_digest, _is_build, _is_version):
            found = [image for image in images if match(image.row, words)]
            if len(found) == 1:
                return found[0]
            if found:
                named = ", ".join(image.row.digest[:12] for image in found[:5])
                raise VirtnodeError(
                    Code.CONFLICT, f"more than one image is {words}", f"name one by its digest: {named}"
                )
        raise VirtnodeError(Code.NOT_FOUND, f"there is no image {words[:60]}", LIST_THEM)

    def remove(self, words: str, actor: Actor) -> None:
        """Remove an image. Raises VirtnodeError: not-found, conflict while a node is updated to it."""
        with self._lock:
            row = self.find(words).row
            with self._store.write() as connection:
                _check_unused(connection, row)
                image_rows.delete_image(connection, row.digest)
                self._note(
                    connection, "image-removed", f"image {row.version} ({row.build_id}) was removed", actor
                )
            self._path(row.digest).unlink(missing_ok=True)
            sync_folder(self._folder)

    def read_part(self, node: str, request: ImagePartRequest) -> ImagePart:
        """Read a piece of the bundle that a node was told to take.

        Raises VirtnodeError: denied for any other, invalid beyond its end, unavailable when its file is gone.
        """
        with self._store.read() as connection:
            update = update_rows.find_update(connection, node)
        if update is None or not is_under_way(update) or update.digest != request.digest:
            raise VirtnodeError(Code.DENIED, "the node was not told to take this image", "wait for an order")
        if not 0 <= request.offset < update.size_bytes:
            raise VirtnodeError(Code.INVALID, "the offset does not lie within the image")
        try:
            with self._path(update.digest).open("rb") as file:
                file.seek(request.offset)
                return ImagePart(base64.b64encode(file.read(IMAGE_PART)).decode())
        except OSError as error:
            raise missing_file(update.version) from error

    def packages_of(self, build_id: str) -> dict[str, str] | None:
        """Tell what a build was made of; None where no image of it is known."""
        with self._store.read() as connection:
            return image_rows.read_packages(connection, build_id)

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def _tidy(self) -> None:
        """Drop what an interruption left, and bundles that nobody knows any more."""
        for path in self._folder.glob(".*.part"):
            path.unlink(missing_ok=True)
        known = {image.row.digest for image in self.list()}
        for path in self._folder.glob(f"*{SUFFIX}"):
            if path.name.removesuffix(SUFFIX) not in known:
                path.unlink(missing_ok=True)

    def _copy(self, source: Path, partial: Path) -> str:
        if shutil.disk_usage(self._folder).free < source.stat().st_size + ROOM_TO_LEAVE:
            raise VirtnodeError(
                Code.UNAVAILABLE,
                "the engine's disk has no room for this image",
                "remove some: virtnode-engine image remove VERSION",
            )
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                digest = hash_file(source, file.write)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise VirtnodeError(
                Code.UNAVAILABLE,
                f"the image cannot be kept: {error.strerror}",
                "free some of the engine's disk",
            ) from error
        return digest

    def _remember(self, digest: str, bundle: Bundle, actor: Actor) -> Image:
        said = bundle.manifest
        row = ImageRow(
            digest,
            self._path(digest).stat().st_size,
            said.product,
            said.version,
            said.build_id,
            said.system,
            said.architecture,
            said.made,
            " ".join(bundle.signers),
            self._clock(),
            actor.name,
        )
        with self._store.write() as connection:
            known = image_rows.find_image(connection, digest)
            if known is None:
                image_rows.insert_image(connection, row, said.packages)
                self._note(
                    connection, "image-added", f"image {said.version} ({said.build_id}) was added", actor
                )
        return Image(known or row, here=True)

    def _note(self, connection: Connection, kind: str, text: str, actor: Actor) -> None:
        record(connection, Event(Severity.INFO, kind, text), actor, self._clock())

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}{SUFFIX}"


def fits(row: ImageRow, node: Node) -> bool:
    """Tell whether an image is of the kind that a node runs: its architecture, product and distribution."""
    product, distribution = node.facts.product, re.sub(r"[\s\d.]+$", "", row.system)
    return (
        row.architecture == node.facts.cpu.architecture
        and row.product.lower() in product.lower()
        and ("(" not in product or distribution in product)
    )


def choose_image(rows: Sequence[ImageRow], node: Node) -> ImageRow | None:
    """Choose the newest image that fits a node; None where it runs that one already, or a newer one.

    `rows` come with the newest first.
    """
    for row in rows:
        if row.build_id == node.facts.build_id:
            return None
        if fits(row, node):
            return row
    return None


def missing_file(version: str) -> VirtnodeError:
    """Say that the file of an image is not here."""
    return VirtnodeError(
        Code.UNAVAILABLE,
        f"the file of image {version} is not in the engine's folder",
        "put it back: virtnode-engine image add FILE",
    )


def _is_digest(row: ImageRow, words: str) -> bool:
    return row.digest == words or (len(words) >= SHORTEST_DIGEST and row.digest.startswith(words))


def _is_build(row: ImageRow, words: str) -> bool:
    return row.build_id == words


def _is_version(row: ImageRow, words: str) -> bool:
    return row.version == words


def _check_unused(connection: Connection, row: ImageRow) -> None:
    rolls = [roll for roll in roll_rows.list_under_way(connection) if roll.digest == row.digest]
    if rolls or update_rows.count_updates(connection, row.digest, UNDER_WAY):
        raise VirtnodeError(
            Code.CONFLICT, f"a node is updated to {row.version} at this moment", "wait, or stop the roll"
        )
