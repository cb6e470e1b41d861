"""Signatures of what is embedded, by an Ed25519 key that nodes trust."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from nodelib.errors import Code, VirtnodeError


def sign_payload(key: Path, payload: bytes) -> bytes:
    """Sign with a key in PEM, without a password; raises VirtnodeError (invalid) for any other."""
    hint = "openssl genpkey -algorithm ed25519 makes one"
    try:
        private = load_pem_private_key(key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise VirtnodeError(Code.INVALID, f"{key} is no private key in PEM: {error}", hint) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise VirtnodeError(Code.INVALID, f"{key} is no Ed25519 key", hint)
    return private.sign(payload)
