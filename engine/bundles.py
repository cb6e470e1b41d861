"""Reading an update bundle: what it says it is, and whether that is true of its bytes."""

import hashlib
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from nodelib.codec import decode_lenient, parse_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link_update import LARGEST_IMAGE
from nodelib.update_bundle import (
    LARGEST_MANIFEST,
    MANIFEST,
    PAYLOAD,
    SCHEMA,
    SIGNATURES,
    BundleManifest,
    BundleSignatures,
)

PIECE = 1 << 20
"""Bytes that are held at a time."""
DIGEST = re.compile(r"[0-9a-f]{64}")
SIGNATURE = re.compile(r"[0-9a-f]{128}")
LONGEST_WORD = 100


@dataclass(frozen=True)
class Bundle:
    """What a bundle says of itself."""

    manifest: BundleManifest
    signers: tuple[str, ...]
    """Names of keys; whether a node trusts one is not known here."""


class _Bounded:
    """A file of which nobody can take much at once, whatever lengths its headers claim."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= 2 * LARGEST_MANIFEST:
            raise tarfile.ReadError("a header claims too much")
        return self._file.read(size)


def read_bundle(path: Path, *, check_payload: bool = True) -> Bundle:
    """Read what a bundle is; with `check_payload` every byte of it is compared with what it says.

    Raises VirtnodeError: not-found, invalid for what is no bundle or is broken, denied for one without
    signatures.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size > LARGEST_IMAGE:
                raise _broken(path, f"a bundle has at most {LARGEST_IMAGE >> 30} GiB")
            with tarfile.open(fileobj=cast("BinaryIO", _Bounded(file)), mode="r:") as archive:
                return _read_members(path, archive, check_payload=check_payload)
    except FileNotFoundError as error:
        raise VirtnodeError(Code.NOT_FOUND, f"there is no file {path}") from error
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise _broken(path, str(error)) from error


def hash_file(path: Path, take: Callable[[bytes], object] = lambda piece: None) -> str:
    """Hash a file piece by piece, and hand each piece on."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            take(piece)
    return digest.hexdigest()


def _read_members(path: Path, archive: tarfile.TarFile, *, check_payload: bool) -> Bundle:
    manifest = _read_manifest(path, _read_small(path, archive, MANIFEST))
    signers = _read_signers(path, _read_small(path, archive, SIGNATURES))
    if check_payload:
        for name in PAYLOAD:
            _check_file(path, archive, name, manifest)
        if archive.next() is not None:
            raise _broken(path, "there is more in it than there should be")
    return Bundle(manifest, signers)


def _read_small(path: Path, archive: tarfile.TarFile, name: str) -> bytes:
    member = archive.next()
    content = archive.extractfile(member) if member is not None and member.name == name else None
    if member is None or content is None or not member.isreg() or member.size > LARGEST_MANIFEST:
        raise _broken(path, f"{name} is not where it should be")
    found = content.read()
    if len(found) != member.size:
        raise _broken(path, "it is cut short")
    return found


def _read_manifest(path: Path, text: bytes) -> BundleManifest:
    try:
        document = parse_json(text)
        if (
            isinstance(document, dict)
            and isinstance(document.get("schema"), int)
            and document["schema"] > SCHEMA
        ):
            raise VirtnodeError(
                Code.CONFLICT, f"{path} is of a newer kind than this engine knows", "update the engine first"
            )
        manifest = decode_lenient(BundleManifest, document)
    except VirtnodeError as error:
        if error.code is Code.CONFLICT:
            raise
        raise _broken(path, f"{MANIFEST}: {error.message.splitlines()[0]}") from error
    words = (manifest.product, manifest.version, manifest.build_id, manifest.architecture, manifest.system)
    if not all(word and word.isprintable() and len(word) <= LONGEST_WORD for word in words):
        raise _broken(path, f"{MANIFEST} does not name the image")
    if set(manifest.files) != set(PAYLOAD) or not all(one.size > 0 for one in manifest.files.values()):
        raise _broken(path, f"{MANIFEST} does not name the files of an image")
    return manifest


def _read_signers(path: Path, text: bytes) -> tuple[str, ...]:
    try:
        signatures = decode_lenient(BundleSignatures, parse_json(text)).signatures
    except VirtnodeError as error:
        raise _broken(path, f"{SIGNATURES}: {error.message.splitlines()[0]}") from error
    signed = [one for one in signatures if DIGEST.fullmatch(one.key) and SIGNATURE.fullmatch(one.signature)]
    if not signed:
        raise VirtnodeError(
            Code.DENIED,
            f"{path} is not signed, and nodes take no such image",
            "sign it with a key that they trust",
        )
    return tuple(dict.fromkeys(one.key for one in signed))


def _check_file(path: Path, archive: tarfile.TarFile, name: str, manifest: BundleManifest) -> None:
    said, member = manifest.files[name], archive.next()
    content = archive.extractfile(member) if member is not None and member.name == name else None
    if member is None or content is None or not member.isreg():
        raise _broken(path, f"{name} is not where it should be")
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    if member.size != said.size or digest.hexdigest() != said.sha256:
        raise _broken(path, f"{name} is not what {MANIFEST} says")


def _broken(path: Path, why: str) -> VirtnodeError:
    return VirtnodeError(Code.INVALID, f"{path} is no update, or is broken: {why}", "copy it again")
