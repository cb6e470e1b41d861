"""The code and the fingerprint that two people compare."""

import re

from nodelib.approval import approval_code, key_fingerprint, read_approval_code


def test_the_code_is_short_and_of_the_key_alone() -> None:
    """Ten letters that nobody mistakes, the same wherever they are worked out."""
    codes = {approval_code(bytes([number])) for number in range(200)}
    assert len(codes) == 200
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", code) for code in codes)
    assert approval_code(b"key") == approval_code(b"key")
    # Known answer: node and engine may be of different versions.
    assert approval_code(b"key") == "P7CC9-14VR7"


def test_a_typed_code_is_understood() -> None:
    """Case, blanks and letters that look alike do not matter."""
    assert read_approval_code(" abcde 01o1i\n") == "ABCDE-01011"
    assert read_approval_code("ABCDE-0l0IO") == "ABCDE-01010"


def test_the_fingerprint_is_the_keys_sha256() -> None:
    """As any tool shows it."""
    assert key_fingerprint(b"").startswith("SHA256:e3b0c44298fc1c149afb")
