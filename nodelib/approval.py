"""What a person compares: the approval code and the fingerprint of a node's key, the same on both sides."""

import hashlib

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: nothing in it is mistaken for something else."""
CODE_LENGTH = 10


def key_fingerprint(public_key: bytes) -> str:
    """Name a public key, given as DER SubjectPublicKeyInfo: `SHA256:` and 64 hexadecimal digits."""
    return f"SHA256:{hashlib.sha256(public_key).hexdigest()}"


def approval_code(public_key: bytes) -> str:
    """Shorten the fingerprint to what can be read out over the telephone: XXXXX-XXXXX, 50 bits."""
    number = int.from_bytes(hashlib.sha256(b"virtnode approval\0" + public_key).digest()[:7]) >> 6
    letters = "".join(ALPHABET[(number >> 5 * place) & 31] for place in reversed(range(CODE_LENGTH)))
    return f"{letters[:5]}-{letters[5:]}"


def read_approval_code(text: str) -> str:
    """Write a code as somebody typed it the way `approval_code` does; letters that look alike are one."""
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    letters = letters.translate(str.maketrans("OIL", "011"))
    return f"{letters[:5]}-{letters[5:]}"
