"""What a value may be, where that takes more than a pattern."""

import base64
import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nodeagent.intent_forms import KEY_PARTS, is_ssh_key

CURVES = {
    "ecdsa-sha2-nistp256": ec.SECP256R1(),
    "ecdsa-sha2-nistp384": ec.SECP384R1(),
    "ecdsa-sha2-nistp521": ec.SECP521R1(),
}
MADE_UP = {
    "sk-ssh-ed25519@openssh.com": (bytes(32), b"ssh:"),
    "sk-ecdsa-sha2-nistp256@openssh.com": (b"nistp256", b"\4" + bytes(64), b"ssh:"),
}
"""Keys of a token, which none of us can make."""


def public_key(name: str) -> str:
    """Make a key of a type, as ssh-keygen writes it."""
    if name in MADE_UP:
        return made(name, *MADE_UP[name])
    key = (
        ed25519.Ed25519PrivateKey.generate().public_key()
        if name == "ssh-ed25519"
        else rsa.generate_private_key(65537, 2048).public_key()
        if name == "ssh-rsa"
        else ec.generate_private_key(CURVES[name]).public_key()
    )
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def made(name: str, *parts: bytes) -> str:
    """Put a key together."""
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (name.encode(), *parts))
    return f"{name} {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize("name", KEY_PARTS)
def test_a_key_is_taken_whole_or_not_at_all(name: str) -> None:
    """One that lost some letters on its way would let nobody in, and nobody would know why."""
    text = public_key(name)
    assert is_ssh_key(text)
    assert is_ssh_key(f"{text} somebody@example.org with a comment")
    data = base64.b64decode(text.split()[1])
    for wrong in (data[:-3], data[:-1], data + b"x", data + bytes(4), data[: len(name) + 6], b""):
        assert not is_ssh_key(f"{name} {base64.b64encode(wrong).decode()}")
    assert not is_ssh_key(f"no-pty {text}")


def test_a_key_of_another_length_is_none() -> None:
    """Its parts are whole, and it says of itself that it is shorter."""
    assert not is_ssh_key(made("ssh-ed25519", bytes(29)))
    assert not is_ssh_key(made("ssh-rsa", b"\1\0\1", b""))
