"""Ed25519 keys: who signs what is embedded and what updates, and the public halves that nodes trust."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from image.config import PublicKey
from nodelib.errors import Code, VirtnodeError
from nodelib.update_bundle import SIGNED_PREFIX, BundleSignature

SUFFIX = ".pem"
MAKE_KEY = "openssl genpkey -algorithm ed25519 makes one"
MAKE_PUBLIC = "openssl pkey -in KEY.pem -pubout -out NAME.pem makes one"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a key in PEM, without a password; raises VirtnodeError (invalid) for any other."""
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise VirtnodeError(Code.INVALID, f"{path} is no private key in PEM: {error}", MAKE_KEY) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise VirtnodeError(Code.INVALID, f"{path} is no Ed25519 key", MAKE_KEY)
    return private


def sign_payload(key: Path, payload: bytes) -> bytes:
    """Sign with a key in PEM, without a password; raises VirtnodeError (invalid) for any other."""
    return load_private_key(key).sign(payload)


def sign_manifest(key: Ed25519PrivateKey, manifest: bytes) -> BundleSignature:
    """Vouch for an update by the bytes of its manifest."""
    signature = key.sign(SIGNED_PREFIX + manifest)
    return BundleSignature(identify(key.public_key()), signature.hex())


def is_signed(key: PublicKey, manifest: bytes, signature: BundleSignature) -> bool:
    """Tell whether a signature is by this key, and for this manifest."""
    public = load_pem_public_key(key.pem.encode())
    if not isinstance(public, Ed25519PublicKey) or signature.key != key.identifier:
        return False
    try:
        public.verify(bytes.fromhex(signature.signature), SIGNED_PREFIX + manifest)
    except (InvalidSignature, ValueError):
        return False
    return True


def read_public_key(path: Path) -> PublicKey:
    """Read a public Ed25519 key in PEM, called as its file; raises VirtnodeError (invalid) for any other."""
    name = path.name.removesuffix(SUFFIX)
    if not _NAME.fullmatch(name):
        hint = "letters, digits and any of ._- ; nodes call the key as its file is called"
        raise VirtnodeError(Code.INVALID, f"{path}: {name!r} is no name for a key", hint)
    try:
        data = path.read_bytes()
        if b"PRIVATE KEY" in data:
            raise VirtnodeError(Code.INVALID, f"{path} is a private key, which stays at home", MAKE_PUBLIC)
        if data.count(b"-----BEGIN") > 1:
            raise VirtnodeError(Code.INVALID, f"{path} holds several keys", "give each in a file of its own")
        public = load_pem_public_key(data)
    except (OSError, ValueError, TypeError) as error:
        raise VirtnodeError(Code.INVALID, f"{path} is no public key in PEM", MAKE_PUBLIC) from error
    if not isinstance(public, Ed25519PublicKey):
        raise VirtnodeError(Code.INVALID, f"{path} is no Ed25519 key", MAKE_PUBLIC)
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return PublicKey(name, identify(public), text)


def read_public_keys(folder: Path) -> tuple[PublicKey, ...]:
    """Read every key of a folder; raises VirtnodeError where there is none."""
    paths: Sequence[Path] = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no key in {folder}", f"give a folder with public keys, *{SUFFIX}"
        )
    return tuple(read_public_key(path) for path in paths)


def identify(key: Ed25519PublicKey) -> str:
    """Name a key by the SHA-256 of its public half as DER, in hexadecimal."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
