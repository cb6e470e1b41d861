"""Update bundles for tests: of the files of a PXE folder, or of a few bytes, signed with the tests' key."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nodelib.codec import to_json
from nodelib.update_bundle import (
    MANIFEST,
    PAYLOAD,
    SIGNATURES,
    SIGNED_PREFIX,
    BundleFile,
    BundleManifest,
    BundleSignature,
    BundleSignatures,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"a key of the tests, not a secret")


@dataclass(frozen=True)
class BundleOptions:
    """What a test wants of a bundle."""

    product: str = "virtnode"
    version: str = "2.0"
    build_id: str = "2222222222222222"
    architecture: str = "x86_64"
    arguments: tuple[str, ...] = ("quiet",)
    packages: Mapping[str, str] = field(default_factory=dict)
    intent_version: int = 2
    schema: int = 1


def public_pem(key: Ed25519PrivateKey = KEY) -> bytes:
    """Return the public half, as an image has it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_identifier(key: Ed25519PrivateKey = KEY) -> str:
    """Name a key."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()


def make_manifest(payload: Mapping[str, bytes | Path], options: BundleOptions) -> bytes:
    """Describe files."""
    files = {name: _describe(payload[name]) for name in PAYLOAD}
    manifest = BundleManifest(
        options.product,
        options.version,
        options.build_id,
        options.architecture,
        "Debian GNU/Linux 13",
        1700000000.0,
        options.arguments,
        files,
        options.packages,
        options.intent_version,
        options.schema,
    )
    return to_json(manifest).encode()


def sign(manifest: bytes, *keys: Ed25519PrivateKey) -> bytes:
    """Sign a manifest."""
    signatures = tuple(
        BundleSignature(key_identifier(key), key.sign(SIGNED_PREFIX + manifest).hex()) for key in keys
    )
    return to_json(BundleSignatures(signatures)).encode()


def make_bundle(
    path: Path,
    payload: Mapping[str, bytes | Path],
    options: BundleOptions | None = None,
    *keys: Ed25519PrivateKey,
) -> Path:
    """Write a bundle that the keys, or the key of the tests, signed."""
    manifest = make_manifest(payload, options or BundleOptions())
    members = {MANIFEST: manifest, SIGNATURES: sign(manifest, *(keys or (KEY,))), **payload}
    return write_archive(path, members)


def write_archive(path: Path, members: Mapping[str, bytes | Path]) -> Path:
    """Write a tar archive."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content) if isinstance(content, bytes) else content.stat().st_size
            if isinstance(content, bytes):
                archive.addfile(member, io.BytesIO(content))
            else:
                with content.open("rb") as file:
                    archive.addfile(member, file)
    return path


def _describe(content: bytes | Path) -> BundleFile:
    if isinstance(content, bytes):
        return BundleFile(len(content), hashlib.sha256(content).hexdigest())
    with content.open("rb") as file:
        return BundleFile(content.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
