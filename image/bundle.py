"""Update bundles: written, read back and signed; nodelib/update_bundle.py says what they are."""

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from image.signing import sign_manifest
from nodelib.codec import decode_lenient, encode, parse_json
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.update_bundle import (
    LARGEST_MANIFEST,
    MANIFEST,
    PAYLOAD,
    SCHEMA,
    SIGNATURES,
    BundleManifest,
    BundleSignature,
    BundleSignatures,
)

ORDER = (MANIFEST, SIGNATURES, *PAYLOAD)
PIECE = 1024 * 1024
COPY_AGAIN = "compare it with SHA256SUMS, or copy it again"
_TAR_MARK = slice(257, 262)


@dataclass(frozen=True)
class Member:
    """A file of the payload: `size` bytes, from `offset` on in the bundle, stored as they are."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Bundle:
    """What is in a bundle; `signed` are the bytes that signatures are for."""

    manifest: BundleManifest
    signed: bytes
    signatures: tuple[BundleSignature, ...]
    members: tuple[Member, ...]


def write_bundle(
    path: Path, manifest: BundleManifest, files: Mapping[str, Path], keys: Sequence[Ed25519PrivateKey]
) -> None:
    """Write a bundle, the same bytes for the same files, times and keys."""
    signed = (json.dumps(encode(manifest), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    signatures = tuple(sign_manifest(key, signed) for key in keys)
    made = int(manifest.made)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        _write_head(tar, signed, signatures, made)
        for name in PAYLOAD:
            with files[name].open("rb") as file:
                tar.addfile(_header(name, files[name].stat().st_size, made), file)


def is_bundle(start: bytes) -> bool:
    """Tell by a file's first sector whether it is a bundle."""
    return start.startswith(MANIFEST.encode() + b"\0") and start[_TAR_MARK] == b"ustar"


def read_bundle(path: Path) -> Bundle:
    """Read all of a bundle but its payload; raises VirtnodeError (invalid) for a damaged one."""
    try:
        with tarfile.open(path, "r:") as tar:
            infos = tar.getmembers()
            names = [info.name for info in infos]
            if names != list(ORDER) or not all(info.isreg() for info in infos):
                raise _damaged(path, f"it holds {', '.join(names)}, not {', '.join(ORDER)}")
            signed, signatures = (_read_small(tar, info, path) for info in infos[:2])
    except (tarfile.TarError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    manifest = _read_manifest(signed, path)
    known = decode_lenient(BundleSignatures, parse_json(signatures)).signatures
    members = tuple(Member(info.name, info.offset_data, info.size) for info in infos[2:])
    if sorted(manifest.files) != sorted(PAYLOAD):
        raise _damaged(path, f"its manifest does not speak of {', '.join(PAYLOAD)}")
    for member in members:
        if manifest.files[member.name].size != member.size:
            raise _damaged(path, f"{member.name} is not as long as its manifest says")
    return Bundle(manifest, signed, known, members)


def damaged_files(path: Path, bundle: Bundle) -> tuple[str, ...]:
    """Name the files that are not what the manifest says."""
    return tuple(
        member.name
        for member in bundle.members
        if _digest(path, member) != bundle.manifest.files[member.name].sha256
    )


def sign_bundle(source: Path, output: Path, keys: Sequence[Ed25519PrivateKey]) -> Bundle:
    """Write a copy with the signatures of these keys as well, whole or not at all; perhaps over the source.

    Raises VirtnodeError (invalid) rather than to vouch for a damaged bundle.
    """
    bundle = read_bundle(source)
    damaged = damaged_files(source, bundle)
    if damaged:
        raise _damaged(source, f"{', '.join(damaged)} is not what its manifest says")
    by_key = {signature.key: signature for signature in bundle.signatures}
    by_key |= {made.key: made for made in (sign_manifest(key, bundle.signed) for key in keys)}
    fresh = output.with_name(f".{output.name}.new")
    made = int(bundle.manifest.made)
    try:
        with (
            source.open("rb") as file,
            tarfile.open(fresh, "w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            _write_head(tar, bundle.signed, tuple(by_key.values()), made)
            for member in bundle.members:
                file.seek(member.offset)
                tar.addfile(_header(member.name, member.size, made), file)
        shutil.copymode(source, fresh)
        fresh.replace(output)
    finally:
        fresh.unlink(missing_ok=True)
    return read_bundle(output)


def _write_head(
    tar: tarfile.TarFile, signed: bytes, signatures: tuple[BundleSignature, ...], made: int
) -> None:
    document = json.dumps(encode(BundleSignatures(signatures)), indent=1, sort_keys=True) + "\n"
    for name, data in ((MANIFEST, signed), (SIGNATURES, document.encode())):
        tar.addfile(_header(name, len(data), made), io.BytesIO(data))


def _header(name: str, size: int, made: int) -> tarfile.TarInfo:
    """Describe a file that belongs to nobody in particular."""
    header = tarfile.TarInfo(name)
    header.size, header.mtime, header.mode = size, made, 0o644
    return header


def _read_small(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> bytes:
    file = tar.extractfile(info)
    if file is None or info.size > LARGEST_MANIFEST:
        raise _damaged(path, f"{info.name} is too large")
    return file.read()


def _read_manifest(data: bytes, path: Path) -> BundleManifest:
    document = parse_json(data)
    schema = document.get("schema", SCHEMA) if isinstance(document, dict) else None
    if schema != SCHEMA:
        message = f"{path}: its schema is {schema}, and this program reads {SCHEMA}"
        raise VirtnodeError(Code.INVALID, message, "use a virtnode-image of the bundle's own version")
    try:
        return decode_lenient(BundleManifest, document)
    except InvalidInput as error:
        raise _damaged(path, f"{MANIFEST}: {'; '.join(error.problems)}") from error


def _digest(path: Path, member: Member) -> str:
    digest = hashlib.sha256()
    left = member.size
    with path.open("rb") as file:
        file.seek(member.offset)
        while piece := file.read(min(PIECE, left)):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> VirtnodeError:
    return VirtnodeError(Code.INVALID, f"{path} is a damaged update bundle: {why}", COPY_AGAIN)
