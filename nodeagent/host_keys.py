"""The SSH server's own public keys, by the fingerprint that a client shows."""

import base64
import hashlib
from pathlib import Path

from nodeagent.facts.sources import read_text

PATTERN = "etc/ssh/ssh_host_*_key.pub"


def read_fingerprints(root: Path) -> tuple[str, ...]:
    """Return `TYPE SHA256:…` for each key in order; what is no key is left out."""
    found = []
    for path in sorted(root.glob(PATTERN)):
        kind, _, rest = read_text(path).partition(" ")
        try:
            blob = base64.b64decode(rest.split()[0], validate=True)
        except (ValueError, IndexError):
            continue
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        found.append(f"{kind} SHA256:{digest}")
    return tuple(found)
