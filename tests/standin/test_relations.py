"""Debian's words turned into RPM's."""

import pytest

from tests.standin.relations import convert_relations, split_version
from tests.standin.unpack import file_line, merged_path


@pytest.mark.parametrize(
    ("version", "parts"),
    [
        ("2.41-12+deb13u1", ("", "2.41", "12+deb13u1")),
        ("1:1.3.dfsg+really1.3.1-1", ("1", "1.3.dfsg+really1.3.1", "1")),
        ("0.0.25", ("", "0.0.25", "")),
        ("1.2-rc1-3", ("", "1.2.rc1", "3")),
    ],
)
def test_versions(version: str, parts: tuple[str, str, str]) -> None:
    """Epoch, upstream version and revision find their places."""
    assert split_version(version) == parts


@pytest.mark.parametrize(
    ("field", "capabilities"),
    [
        ("", []),
        ("libc6 (>= 2.38), zlib1g (>= 1:1.2.0)", ["libc6 >= 2.38", "zlib1g >= 1:1.2.0"]),
        ("debconf (>= 0.5) | debconf-2.0", ["(debconf >= 0.5 or debconf-2.0)"]),
        ("python3:any, perl-base (= 5.40-1)", ["python3", "perl-base = 5.40-1"]),
        ("libc6 (>> 2.41), libc6 (<< 2.42)", ["libc6 >= 2.41", "libc6 < 2.42"]),
        ("a (>> 1-2),\n b", ["a > 1-2", "b"]),
    ],
)
def test_relations(field: str, capabilities: list[str]) -> None:
    """Bounds, alternatives and architecture qualifiers keep their meaning."""
    assert convert_relations(field) == capabilities


def test_a_bad_relation_is_named() -> None:
    """What is no dependency is not passed on."""
    with pytest.raises(ValueError, match="no dependency"):
        convert_relations("Capital (>= 1)")


@pytest.mark.parametrize(
    ("name", "path"),
    [("./bin/sh", "/usr/bin/sh"), ("./lib", "/lib"), ("./etc/fstab", "/etc/fstab"), ("./", "/")],
)
def test_paths_are_merged_into_usr(name: str, path: str) -> None:
    """The links in / stay links; what lies behind them lies in /usr."""
    assert merged_path(name) == path


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/usr/bin/[", '"/usr/bin/[[]"'),
        ("/usr/share/doc/a/README", '%doc "/usr/share/doc/a/README"'),
        ("/usr/share/doc/a/copyright", '%license "/usr/share/doc/a/copyright"'),
        ("/usr/share/locale/de/LC_MESSAGES/a.mo", '%lang(de) "/usr/share/locale/de/LC_MESSAGES/a.mo"'),
        ("/etc/a%b", '%config(noreplace) "/etc/a%%b"'),
    ],
)
def test_file_lists(path: str, line: str) -> None:
    """Documentation, licences, translations and settings are marked as RPM marks them."""
    assert file_line(path, is_directory=False) == line
