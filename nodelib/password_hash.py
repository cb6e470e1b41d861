"""Passwords to what /etc/shadow keeps of them, by the system's own crypt(3)."""

import ctypes

from nodelib.errors import Code, InvalidInput, VirtnodeError

LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
"""Debian's and Fedora's."""
PREFIXES = (b"$y$", b"$6$")
"""yescrypt, and SHA-512 where the library does not know that."""
SIZE_OF_DATA = 32768
SIZE_OF_SETTING = 192
SHORTEST, LONGEST = 8, 256


def check_strength(password: str) -> None:
    """Raise InvalidInput for a password that nobody should have, or that some keyboard cannot type."""
    if not password.isprintable():
        raise InvalidInput(["a password has no control characters"], "type letters, digits and signs")
    if len(password) < SHORTEST:
        raise InvalidInput(
            [f"the password has {len(password)} characters; it needs {SHORTEST}"], "choose a longer one"
        )
    if len(password.encode(errors="replace")) > LONGEST:
        raise InvalidInput([f"the password is longer than {LONGEST} bytes"], "choose a shorter one")


def hash_password(password: str) -> str:
    """Hash a password with a salt of its own; raises VirtnodeError (unavailable) without crypt(3)."""
    crypt = _load()
    for prefix in PREFIXES:
        setting = ctypes.create_string_buffer(SIZE_OF_SETTING)
        if not crypt.crypt_gensalt_rn(prefix, ctypes.c_ulong(0), None, 0, setting, SIZE_OF_SETTING):
            continue
        data = ctypes.create_string_buffer(SIZE_OF_DATA)
        hashed: bytes | None = crypt.crypt_rn(password.encode(), setting, data, SIZE_OF_DATA)
        if hashed and hashed.startswith(prefix):
            return hashed.decode("ascii")
    raise VirtnodeError(Code.UNAVAILABLE, "crypt(3) of this system hashes no password")


def _load() -> ctypes.CDLL:
    for name in LIBRARIES:
        try:
            crypt = ctypes.CDLL(name)
        except OSError:
            continue
        crypt.crypt_rn.restype = ctypes.c_char_p
        crypt.crypt_gensalt_rn.restype = ctypes.c_char_p
        return crypt
    raise VirtnodeError(
        Code.UNAVAILABLE, "this system has no crypt(3)", f"one of {', '.join(LIBRARIES)} is needed"
    )
