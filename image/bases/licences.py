"""Licences of Debian's copyright files, as SPDX expressions."""

import re
from collections.abc import Iterator

from image.licence_expressions import (
    NOASSERTION,
    canonical_exception,
    canonical_expression,
    canonical_licence,
    join_all,
    join_any,
    licence_reference,
)

SHORT_FILE = 3000
"""Characters: a longer free-form copyright file says more than the licences it refers to."""

UNNAMED = licence_reference("Debian-unnamed")
"""A machine-readable stanza whose licence has a text and no short name."""

OTHER_TERMS = licence_reference("Debian-other-terms")
"""What a long free-form copyright file says beside the licences it refers to."""

_SPDX_BY_DEBIAN_NAME = {
    "all-permissive": "FSFAP",
    "apache": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "artistic-2": "Artistic-2.0",
    "bsd-2": "BSD-2-Clause",
    "bsd-3": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause",
    "bsd3": "BSD-3-Clause",
    "boost": "BSL-1.0",
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "fsf-unlimited": "FSFULLR",
    "gfdl-niv-1.2": "GFDL-1.2-no-invariants-only",
    "gfdl-niv-1.2+": "GFDL-1.2-no-invariants-or-later",
    "gfdl-niv-1.3": "GFDL-1.3-no-invariants-only",
    "gfdl-niv-1.3+": "GFDL-1.3-no-invariants-or-later",
    "mit/x11": "MIT",
    "openldap-2.8": "OLDAP-2.8",
    "perl": "GPL-1.0-or-later OR Artistic-1.0-Perl",
    "python": "PSF-2.0",
    "psf": "PSF-2.0",
    "sil-1.1": "OFL-1.1",
    "sil-ofl-1.1": "OFL-1.1",
    "unicode": "Unicode-DFS-2016",
}

_EXCEPTION_BY_WORDS = {
    "autoconf": "Autoconf-exception-generic",
    "autoconf-data": "Autoconf-exception-generic",
    "autoconf generic": "Autoconf-exception-generic",
    "autoconf-2.0~archive": "Autoconf-exception-2.0",
    "bison": "Bison-exception-2.2",
    "bison-2.2": "Bison-exception-2.2",
    "classpath": "Classpath-exception-2.0",
    "font": "Font-exception-2.0",
    "gcc": "GCC-exception-3.1",
    "gcc-runtime": "GCC-exception-3.1",
    "libtool": "Libtool-exception",
    "llvm": "LLVM-exception",
    "texinfo": "Texinfo-exception",
}

_GNU_NAME = re.compile(
    r"(?P<family>AGPL|LGPL|GPL|GFDL|FDL)[-_ ]?(?:v\.?)?(?P<version>\d(?:\.\d)?)?(?:\.0)?"
    r"(?P<later>\+|-or-later|-only)?",
    re.IGNORECASE,
)
_FIRST_VERSION = {"GPL": "1.0", "LGPL": "2.0", "AGPL": "1.0", "GFDL": "1.1"}
_WITH_EXCEPTION = re.compile(
    r"(?P<licence>\S+)[ -]with[ -](?P<exception>.+?)(?:[ -]exceptions?)?", re.IGNORECASE
)
_FIELD = re.compile(r"(?P<name>[A-Za-z][A-Za-z-]*):(?P<value>.*)", re.DOTALL)
_COMMA = re.compile(r",\s*(?:(and|or)\s+)?", re.IGNORECASE)
_COMMON_LICENCE = re.compile(r"common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])")


def licence_of_copyright(text: str) -> str:
    """Return the SPDX expression a Debian copyright file amounts to, or NOASSERTION.

    Every licence of a machine-readable file's stanzas is in it, joined with AND; one that SPDX does not
    know becomes `LicenseRef-Debian-` and its short name. A free-form file counts by its references to
    the licences that Debian keeps once for all packages.
    """
    stanzas = [dict(_read_fields(stanza)) for stanza in re.split(r"\n(?:[ \t]*\n)+", text.strip())]
    header = stanzas[0]
    if "format" not in header and "format-specification" not in header:
        return _licence_of_references(text)
    named = [stanza["license"] for stanza in stanzas if "files" in stanza and "license" in stanza]
    if not named and "license" in header:
        named = [header["license"]]
    terms = [term for name in named for term in _terms_of_licence(name)]
    return join_all(terms) if terms else NOASSERTION


def _read_fields(stanza: str) -> Iterator[tuple[str, str]]:
    """Yield each field's name in lower case with its value, which may have several lines."""
    for text in re.split(r"\n(?![ \t])", stanza):
        if match := _FIELD.fullmatch(text):
            yield match["name"].lower(), match["value"].strip(" \t")


def _terms_of_licence(field: str) -> list[str]:
    """Return the expressions that all hold for a stanza: from its short names, or else from its words."""
    synopsis, _, words = field.partition("\n")
    if synopsis:
        return _terms_of_synopsis(re.sub(r"-(and|or)-(?!later)", r" \1 ", synopsis.strip()))
    return [*_terms_of_references(words), UNNAMED]


def _terms_of_synopsis(synopsis: str) -> list[str]:
    """Return the expressions that short names amount to; commas bind weaker than `and` and `or`."""
    if expression := canonical_expression(synopsis):
        return [expression]
    pieces = _COMMA.split(synopsis.replace("and/or", "or"))
    groups = [piece for piece in pieces[0::2] if piece.strip()]
    if any(_is_prose(name) for group in groups for name in _names_of(group)) or not groups:
        return [UNNAMED]
    commas = {operator.lower() for operator in pieces[1::2] if operator}
    if len(groups) > 1 and (commas == {"or"} or (not commas and _joins_with_or(groups[-1]))):
        return [join_any(_expression_of_group(group) for group in groups)]
    if len(groups) == 1 and not _joins_with_or(groups[0]):
        return [_expression_of_name(name) for name in _names_of(groups[0])]
    return [_expression_of_group(group) for group in groups]


def _joins_with_or(group: str) -> bool:
    return re.search(r"\sor\s", group, re.IGNORECASE) is not None


def _names_of(group: str) -> list[str]:
    return [name.strip(" .;") for name in re.split(r"\s(?:and|or)\s", group, flags=re.IGNORECASE)]


def _is_prose(name: str) -> bool:
    """Tell a licence's own words, where a short name should be, from a short name."""
    return len(_WITH_EXCEPTION.sub("", name, count=1).split()) > 2


def _expression_of_group(group: str) -> str:
    alternatives = re.split(r"\sor\s", group, flags=re.IGNORECASE)
    return join_any(join_all(_expression_of_name(name) for name in _names_of(part)) for part in alternatives)


def _expression_of_name(name: str) -> str:
    if known := _known_licence(name):
        return known
    match = _WITH_EXCEPTION.fullmatch(name)
    if match and (licence := _known_licence(match["licence"])):
        words = match["exception"].lower()
        exception = _EXCEPTION_BY_WORDS.get(words) or canonical_exception(words)
        exception = exception or canonical_exception(f"{words}-exception")
        if exception:
            return f"{licence} WITH {exception}"
    return licence_reference("Debian", name.replace("+", "-or-later"))


def _known_licence(name: str) -> str | None:
    if special := _SPDX_BY_DEBIAN_NAME.get(name.lower()):
        return special
    if match := _GNU_NAME.fullmatch(name):
        family = {"FDL": "GFDL"}.get(match["family"].upper(), match["family"].upper())
        version = match["version"]
        later = version is None or match["later"] in {"+", "-or-later"}
        version = version or _FIRST_VERSION[family]
        version = version if "." in version else f"{version}.0"
        return canonical_licence(f"{family}-{version}{'-or-later' if later else '-only'}")
    return canonical_licence(name)


def _licence_of_references(text: str) -> str:
    terms = _terms_of_references(text)
    if not terms:
        return NOASSERTION
    return join_all(terms if len(text) <= SHORT_FILE else [*terms, OTHER_TERMS])


def _terms_of_references(text: str) -> list[str]:
    """Name the licences that free words refer to, each `or later` when what stands before it says so."""
    terms = []
    said_from = 0
    for match in _COMMON_LICENCE.finditer(text):
        words = " ".join(text[said_from : match.start()].split()).lower()
        said_from = match.end()
        name = match[1] + ("+" if "any later version" in words and match[1][-1].isdigit() else "")
        terms.append(_expression_of_name(name))
    return terms
