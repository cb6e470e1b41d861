"""Update bundles: read from front to back in constant memory, believed only once a key vouches for them."""

import hashlib
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from nodeagent.config_signature import load_keys, verifies
from nodelib.codec import decode, decode_lenient, parse_json
from nodelib.errors import Code, VirtnodeError
from nodelib.slots import MEBIBYTE
from nodelib.update_bundle import (
    LARGEST_MANIFEST,
    MANIFEST,
    PAYLOAD,
    SCHEMA,
    SIGNATURES,
    SIGNED_PREFIX,
    TRUSTED_KEYS,
    BundleManifest,
    BundleSignatures,
)

TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
SUM = re.compile(r"[0-9a-f]{64}")
ARGUMENT = re.compile(r"[^\s\x00-\x1f\x7f$\\`;|&{}<>']+")
"""In a menu's file the others end a word, or begin something else."""
LARGEST_FILE = 4 << 30
OTHER_HINT = "fetch it again, or ask whoever made it"


@dataclass(frozen=True)
class Bundle:
    """What was read of a bundle, and who vouches for it."""

    manifest: BundleManifest
    signer: str
    """The name of the trusted key: its file's, without the suffix."""
    places: Mapping[str, int] = field(default_factory=dict)
    """Where each file of the payload begins; empty unless all was read."""


def read_front(stream: IO[bytes], root: Path) -> Bundle:
    """Read manifest and signatures alone; raises VirtnodeError (invalid, denied)."""
    with _Opened(stream) as archive:
        return _read_front(archive, root)


def verify_bundle(stream: IO[bytes], root: Path, on_bytes: Callable[[int], None]) -> Bundle:
    """Read a bundle to its end, and check every byte of it; raises VirtnodeError (invalid, denied)."""
    with _Opened(stream) as archive:
        front = _read_front(archive, root)
        places = {}
        for name in PAYLOAD:
            member = _next(archive, name)
            expected = front.manifest.files[name]
            if member.size != expected.size:
                raise _broken(f"{name} has {member.size} bytes instead of {expected.size}")
            digest = hashlib.sha256()
            for block in _blocks(archive, member):
                digest.update(block)
                on_bytes(len(block))
            if digest.hexdigest() != expected.sha256:
                raise _broken(f"{name} is not what was signed")
            places[name] = member.offset_data
        if archive.next() is not None:
            raise _broken("there is more in it than belongs there")
    return Bundle(front.manifest, front.signer, places)


def read_payload(stream: IO[bytes], bundle: Bundle, name: str) -> Iterator[bytes]:
    """Read one file of the payload from a bundle that was verified."""
    stream.seek(bundle.places[name])
    left = bundle.manifest.files[name].size
    while left:
        block = stream.read(min(MEBIBYTE, left))
        if not block:
            raise _broken(f"it ends in the midst of {name}")
        yield block
        left -= len(block)


class _Opened:
    """A tar archive read from front to back; what tarfile says of a broken one is an error of ours."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def __enter__(self) -> tarfile.TarFile:
        try:
            return tarfile.open(fileobj=self._stream, mode="r|")
        except (tarfile.TarError, EOFError) as error:
            raise VirtnodeError(Code.INVALID, "this is no update bundle", OTHER_HINT) from error

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, tarfile.TarError | EOFError):
            raise _broken("it ends too early, or is damaged") from error


def _read_front(archive: tarfile.TarFile, root: Path) -> Bundle:
    manifest = _read_small(archive, MANIFEST)
    signatures = _read_small(archive, SIGNATURES)
    signer = _find_signer(manifest, signatures, root)
    try:
        found = decode_lenient(BundleManifest, parse_json(manifest))
    except VirtnodeError as error:
        raise _broken(error.message) from error
    _check_manifest(found)
    return Bundle(found, signer)


def _find_signer(manifest: bytes, signatures: bytes, root: Path) -> str:
    keys = load_keys(sorted((root / TRUSTED_KEYS).glob("*.pem")))
    if not keys:
        raise VirtnodeError(
            Code.DENIED,
            "this image trusts no key for updates",
            "install an image that was built with update keys; docs/update.md says how",
        )
    try:
        given = decode(BundleSignatures, parse_json(signatures)).signatures
    except VirtnodeError as error:
        raise _broken(f"{SIGNATURES}: {error.message}") from error
    for one in given:
        for key in keys:
            if one.key == key.identifier and verifies(key, one.signature, SIGNED_PREFIX + manifest):
                return key.name
    raise VirtnodeError(
        Code.DENIED,
        "its signature is by no key that this image trusts" if given else "it is not signed",
        f"this image trusts: {', '.join(key.name for key in keys)}",
    )


def _check_manifest(manifest: BundleManifest) -> None:
    """Raise VirtnodeError (invalid) unless all of it can be shown, kept and started as it is."""
    if manifest.schema != SCHEMA:
        raise VirtnodeError(
            Code.INVALID,
            f"the bundle is of kind {manifest.schema}, and this node reads kind {SCHEMA}",
            "update to a version in between first",
        )
    words = (manifest.product, manifest.version, manifest.build_id, manifest.architecture, manifest.system)
    if not all(TEXT.fullmatch(word) for word in words):
        raise _broken("its manifest has names that cannot be shown")
    if not all(ARGUMENT.fullmatch(word) for word in manifest.arguments):
        raise _broken("its kernel arguments cannot be passed on")
    if set(manifest.files) != set(PAYLOAD):
        raise _broken(f"it must hold {', '.join(PAYLOAD)}, and nothing else")
    for name, one in manifest.files.items():
        if not 0 < one.size <= LARGEST_FILE or not SUM.fullmatch(one.sha256):
            raise _broken(f"its manifest is wrong about {name}")


def _next(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = archive.next()
    if member is None:
        raise _broken(f"it ends before {name}")
    if member.name != name or not member.isreg():
        raise _broken(f"{name} is not where it belongs")
    return member


def _read_small(archive: tarfile.TarFile, name: str) -> bytes:
    member = _next(archive, name)
    if member.size > LARGEST_MANIFEST:
        raise _broken(f"{name} is too large")
    return b"".join(_blocks(archive, member))


def _blocks(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    file = archive.extractfile(member)
    assert file is not None
    left = member.size
    with file:
        while left:
            block = file.read(min(MEBIBYTE, left))
            if not block:
                raise _broken(f"it ends in the midst of {member.name}")
            yield block
            left -= len(block)


def _broken(what: str) -> VirtnodeError:
    return VirtnodeError(Code.INVALID, f"the update bundle cannot be used: {what}", OTHER_HINT)
