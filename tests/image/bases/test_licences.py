"""Debian's copyright files, told as SPDX expressions."""

import pytest

from image.bases.licences import SHORT_FILE, licence_of_copyright

HEADER = "Format: a machine-readable one\nUpstream-Name: example\n\n"


def stanzas(*synopses: str) -> str:
    """Write a machine-readable copyright file with one Files stanza for each licence synopsis."""
    return HEADER + "\n".join(f"Files: {number}\nLicense: {name}\n" for number, name in enumerate(synopses))


@pytest.mark.parametrize(
    ("synopsis", "expression"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("GPL", "GPL-1.0-or-later"),
        ("Expat", "MIT"),
        ("BSD-3-clause", "BSD-3-Clause"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Apache-2", "Apache-2.0"),
        ("GPL-2+-or-X11", "GPL-2.0-or-later OR X11"),
        ("public-domain", "LicenseRef-Debian-public-domain"),
        ("GPL-1+ or Artistic", "GPL-1.0-or-later OR Artistic-1.0-Perl"),
        ("Expat and ISC", "MIT AND ISC"),
        ("GPL-2+ or AFL-2.1, and Expat", "(GPL-2.0-or-later OR AFL-2.1) AND MIT"),
        ("Expat, ISC or Zlib", "MIT OR ISC OR Zlib"),
        ("Expat, ISC and Zlib", "MIT AND ISC AND Zlib"),
        ("GPL-2 with Linux-syscall-note exception", "GPL-2.0-only WITH Linux-syscall-note"),
        ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
        ("LGPL-2.1+-with-link-exception", "LicenseRef-Debian-LGPL-2.1-or-later-with-link-exception"),
        ("Permission to use, copy, modify, and distribute", "LicenseRef-Debian-unnamed"),
        ("", "LicenseRef-Debian-unnamed"),
    ],
)
def test_short_name_becomes_spdx(synopsis: str, expression: str) -> None:
    """Debian's short names, their `+`, their exceptions and their conjunctions have an SPDX spelling."""
    assert licence_of_copyright(stanzas(synopsis)) == expression


def test_words_without_a_short_name_count_by_their_references() -> None:
    """A stanza that has a text only keeps what the text refers to, and says that there is more."""
    text = stanzas("\n See /usr/share/common-licenses/GPL-2 and read on.\n .\n Or not.")
    assert licence_of_copyright(text) == "GPL-2.0-only AND LicenseRef-Debian-unnamed"


def test_all_stanzas_hold_at_once() -> None:
    """Each distinct licence of the Files stanzas appears once, in the file's order."""
    text = stanzas("GPL-2+", "Expat or ISC", "GPL-2+", "Expat and ISC") + "\nLicense: Zlib\n text of it\n"
    assert licence_of_copyright(text) == "GPL-2.0-or-later AND (MIT OR ISC) AND MIT AND ISC"


def test_header_speaks_when_no_files_do() -> None:
    """A machine-readable file without Files stanzas counts by its header's licence."""
    assert licence_of_copyright("Format: x\nLicense: Expat\n") == "MIT"
    assert licence_of_copyright("Format: x\nSource: y\n") == "NOASSERTION"


def test_free_form_file_counts_by_its_references() -> None:
    """A reference means `or later` only when the words before it say so."""
    text = (
        "You may use it under the LGPL version 2.1 or\n(at your option) any later\nversion; see "
        "/usr/share/common-licenses/LGPL-2.1. The tool: /usr/share/common-licenses/GPL-2.\n"
    )
    assert licence_of_copyright(text) == "LGPL-2.1-or-later AND GPL-2.0-only"
    assert licence_of_copyright(text + "x" * SHORT_FILE).endswith(" AND LicenseRef-Debian-other-terms")


@pytest.mark.parametrize("text", ["", "\n\n", "Copyright 2001 somebody, all rights reserved.\n"])
def test_silent_file_asserts_nothing(text: str) -> None:
    """A file without names or references yields NOASSERTION."""
    assert licence_of_copyright(text) == "NOASSERTION"
