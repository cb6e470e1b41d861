"""Is a configuration signed by a key that this image trusts? Ed25519, as `customize --sign` makes it."""

from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

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
