"""The host's apt sources, as hosts have them, and what is made of them."""

from pathlib import Path

import pytest

from image.bases.apt import AptSource, Archive, find_archives, read_sources
from nodelib.errors import Code, VirtnodeError
from tests.image.trees import make_tree

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'
DEB822 = """\
# The archive
Types: deb deb-src
URIs: http://mirror.example.invalid/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: http://mirror.example.invalid/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example.invalid/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example.invalid/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://commented.example.invalid/debian bookworm main
deb [arch=amd64 signed-by=/k] http://mirror.example.invalid/debian bookworm main contrib # the archive
deb-src http://source.example.invalid/debian bookworm main
deb http://security.example.invalid/sec bookworm-security main
"""


def test_both_formats_are_read(tmp_path: Path) -> None:
    """Disabled stanzas, comments, options and sources of sources are left out."""
    make_tree(tmp_path, {"etc/apt/sources.list": ONE_LINE, "etc/apt/sources.list.d/debian.sources": DEB822})
    assert read_sources(tmp_path) == [
        AptSource("http://mirror.example.invalid/debian", ("bookworm",), ("main", "contrib")),
        AptSource("http://security.example.invalid/sec", ("bookworm-security",), ("main",)),
        AptSource(
            "http://mirror.example.invalid/debian/", ("bookworm", "bookworm-updates"), ("main", "contrib")
        ),
        AptSource("http://mirror.example.invalid/security", ("bookworm-security",), ("main",)),
    ]


def test_files_that_apt_does_not_read_are_not_read(tmp_path: Path) -> None:
    """A source put out of the way by another ending stays out of the way."""
    folder = "etc/apt/sources.list.d"
    make_tree(tmp_path, {f"{folder}/a.list.disabled": ONE_LINE, f"{folder}/b.sources.save": DEB822})
    assert read_sources(tmp_path) == []


def test_the_release_comes_from_the_hosts_mirror(tmp_path: Path) -> None:
    """Another release than the host's is looked for at the same addresses, with updates and security."""
    make_tree(tmp_path, {"etc/os-release": DEBIAN, "etc/apt/sources.list.d/debian.sources": DEB822})
    assert find_archives("trixie", "", tmp_path) == (
        Archive("http://mirror.example.invalid/debian", "trixie"),
        Archive("http://mirror.example.invalid/debian", "trixie-updates"),
        Archive("http://mirror.example.invalid/security", "trixie-security"),
    )


def test_a_list_of_mirrors_is_resolved(tmp_path: Path) -> None:
    """mirror+file: names a file of addresses; the first is taken."""
    text = DEB822.replace("http://mirror.example.invalid/debian/", "mirror+file:/etc/apt/mirrors/debian.list")
    listed = "http://first.example.invalid/debian\nhttp://second.example.invalid/debian\n"
    make_tree(
        tmp_path,
        {
            "etc/os-release": DEBIAN,
            "etc/apt/sources.list.d/debian.sources": text,
            "etc/apt/mirrors/debian.list": listed,
        },
    )
    assert find_archives("trixie", "", tmp_path)[0].uri == "http://first.example.invalid/debian"


@pytest.mark.parametrize(
    ("mirror", "main", "security"),
    [
        ("http://a.invalid/debian/", "http://a.invalid/debian", "http://a.invalid/debian-security"),
        ("http://a.invalid/debian,http://b.invalid/s/", "http://a.invalid/debian", "http://b.invalid/s"),
    ],
)
def test_a_mirror_replaces_the_hosts(mirror: str, main: str, security: str, tmp_path: Path) -> None:
    """--mirror needs nothing of the host; security updates have their usual place beside it."""
    archives = find_archives("trixie", mirror, tmp_path)
    assert [archive.uri for archive in archives] == [main, main, security]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"etc/os-release": UBUNTU, "etc/apt/sources.list.d/u.sources": DEB822}, "are not Debian's"),
        ({"etc/os-release": "ID=fedora\n"}, "are not Debian's"),
        ({}, "are not Debian's"),
        ({"etc/os-release": DEBIAN}, "no apt source of this host serves bookworm main"),
    ],
)
def test_a_host_without_debians_sources_is_told(
    contents: dict[str, str], message: str, tmp_path: Path
) -> None:
    """Ubuntu's, Fedora's and an empty host's error is one line with the option that helps."""
    make_tree(tmp_path, contents)
    with pytest.raises(VirtnodeError, match=message) as caught:
        find_archives("trixie", "", tmp_path)
    assert caught.value.code is Code.UNAVAILABLE
    assert "--mirror URL" in caught.value.hint
    assert "\n" not in caught.value.message


def test_an_archive_says_itself_as_apt_reads_it() -> None:
    """Every keyring of the kickstart may sign it."""
    archive = Archive("http://a.invalid/debian", "trixie", ("main", "contrib"))
    assert archive.in_release == "http://a.invalid/debian/dists/trixie/InRelease"
    line = archive.source_line([Path("/k1.gpg"), Path("/k2.gpg")])
    assert line == "deb [signed-by=/k1.gpg,/k2.gpg] http://a.invalid/debian trixie main contrib"
