"""A public SSH key as people compare it: type, comment, fingerprint."""

import base64
import binascii
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class SshKey:
    """One line of authorized_keys, taken apart."""

    line: str
    kind: str
    comment: str
    fingerprint: str
    """As ssh-keygen -l shows it: `SHA256:…`."""


def parse_key(line: str) -> SshKey | None:
    """Take a line apart; None for what is no public key. The agent judges it more strictly."""
    words = line.strip().split(None, 2)
    if len(words) < 2 or not line.strip().isprintable():
        return None
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error:
        return None
    # The blob begins with the type's length and the type again.
    name = words[0].encode()
    if not blob.startswith(len(name).to_bytes(4, "big") + name):
        return None
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    comment = words[2] if len(words) > 2 else ""
    return SshKey(" ".join(words), words[0], comment, f"SHA256:{digest}")
