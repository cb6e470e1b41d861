"""SPDX expressions: what is one, and how several become one."""

import pytest

from image.licence_expressions import (
    canonical_expression,
    join_all,
    join_any,
    licence_reference,
    references_in,
)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("mit", "MIT"),
        ("GPL-2.0-or-later and (mit or bsd-3-clause)", "GPL-2.0-or-later AND (MIT OR BSD-3-Clause)"),
        ("GPL-2.0-only WITH linux-syscall-note", "GPL-2.0-only WITH Linux-syscall-note"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("LicenseRef-Fedora-Public-Domain", "LicenseRef-Fedora-Public-Domain"),
    ],
)
def test_expression_is_spelt_canonically(text: str, expression: str) -> None:
    """Identifiers take SPDX's case, deprecated GNU ones today's name, and operators capitals."""
    assert canonical_expression(text) == expression


@pytest.mark.parametrize(
    "text",
    ["", "GPLv2+", "MIT AND", "(MIT", "MIT)", "MIT WITH Nothing", "MIT / BSD", "with MIT", "MIT MIT"],
)
def test_anything_else_is_no_expression(text: str) -> None:
    """A text with an unknown name or a broken shape is refused whole."""
    assert canonical_expression(text) is None


def test_alternatives_are_parenthesised_in_a_conjunction() -> None:
    """Joining with AND keeps the meaning of an inner OR, and drops duplicates."""
    assert join_all(["MIT OR ISC", "Zlib", "MIT OR ISC", "(X11 OR ISC)"]) == (
        "(MIT OR ISC) AND Zlib AND (X11 OR ISC)"
    )
    assert join_all(["MIT", "MIT"]) == "MIT"
    assert join_any(["MIT", "ISC AND Zlib", "MIT"]) == "MIT OR ISC AND Zlib"


def test_reference_has_only_permitted_characters() -> None:
    """A LicenseRef identifier is made of letters, digits, dots and hyphens, and can be found again."""
    assert licence_reference("Debian", "MIT/X11 (odd_one)") == "LicenseRef-Debian-MIT-X11-odd-one"
    assert licence_reference("~~") == "LicenseRef-unnamed"
    assert references_in("MIT AND LicenseRef-b AND (LicenseRef-a OR LicenseRef-b)") == (
        "LicenseRef-a",
        "LicenseRef-b",
    )
