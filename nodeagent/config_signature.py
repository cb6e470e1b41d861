"""Is a configuration, or an update, signed by a key that this image trusts? Ed25519 alone counts."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from nodelib.errors import Code, VirtnodeError


def check_signature(content: bytes, signature: bytes, keys: Sequence[Path]) -> None:
    """Raise VirtnodeError (denied) unless one of the keys, in PEM, signed the content."""
    for path in keys:
        try:
            key = load_pem_public_key(path.read_bytes())
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, content)
                return
        except (InvalidSignature, ValueError):
            continue
    what = "its signature is by no key that this image trusts" if signature else "it is not signed"
    raise VirtnodeError(Code.DENIED, what, "sign it with virtnode-image customize --sign KEY")


@dataclass(frozen=True)
class TrustedKey:
    """A public key of the image."""

    name: str
    """Its file's, without the suffix."""
    identifier: str
    """SHA-256 of its public half as DER, in hexadecimal."""
    public: Ed25519PublicKey = field(repr=False)


def load_keys(paths: Sequence[Path]) -> tuple[TrustedKey, ...]:
    """Read keys, in PEM; what is no Ed25519 key is passed over."""
    found = []
    for path in paths:
        try:
            key = load_pem_public_key(path.read_bytes())
        except ValueError:
            continue
        if isinstance(key, Ed25519PublicKey):
            public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            found.append(TrustedKey(path.stem, hashlib.sha256(public).hexdigest(), key))
    return tuple(found)


def verifies(key: TrustedKey, signature: str, content: bytes) -> bool:
    """Tell whether a key made this signature, given in hexadecimal."""
    try:
        key.public.verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True
