"""The command lines and files that dnf 4 and dnf 5 are given."""

from pathlib import Path

import pytest

from image.bases.dnf import (
    Dnf,
    DnfSetup,
    dnf_argv,
    install_words,
    main_section,
    parse_major_version,
    repository_section,
    rpm_macros,
    sandbox_argv,
)
from image.config import Packages, Repository
from nodelib.errors import VirtnodeError


def setup(major: int) -> DnfSetup:
    """Describe a dnf whose files lie below /w."""
    program = "dnf5" if major == 5 else "dnf"
    return DnfSetup(
        Dnf(program, major), directory=Path("/w/dnf"), cache=Path("/w/cache/dnf"), releasever="43"
    )


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ("4.14.0\n  Installed: dnf-0:4.14.0\n", 4),
        ("dnf5 version 5.2.10.0\ndnf5 plugin API version 2.0\n", 5),
    ],
)
def test_tells_the_versions_apart(text: str, major: int) -> None:
    """Both answers to --version are understood."""
    assert parse_major_version(text) == major


@pytest.mark.parametrize("text", ["", "3.4.3\n", "yum what\n"])
def test_refuses_another_dnf(text: str) -> None:
    """A dnf of another version is refused with what it said."""
    with pytest.raises(VirtnodeError, match="neither version 4 nor 5"):
        parse_major_version(text)


def test_dnf4_command_line() -> None:
    """Version 4 puts the root in front of its own paths, so they lead out of it again."""
    assert dnf_argv(setup(4), Path("/w/root"), ["install", "chrony"]) == [
        "dnf",
        "--installroot=/w/root",
        "--config=/w/dnf/dnf.conf",
        "--setopt=cachedir=../cache/dnf",
        "--setopt=logdir=../dnf/log",
        "--setopt=persistdir=../dnf/state",
        "--setopt=reposdir=/w/dnf/repos.d",
        "--setopt=varsdir=/w/dnf/vars",
        "--releasever=43",
        "install",
        "chrony",
    ]


def test_dnf5_command_line() -> None:
    """Version 5 takes paths of the host as they are, and must be kept from the root's configuration."""
    assert dnf_argv(setup(5), Path("/w/root"), ["install", "chrony"]) == [
        "dnf5",
        "--installroot=/w/root",
        "--config=/w/dnf/dnf.conf",
        "--use-host-config",
        "--setopt=cachedir=/w/cache/dnf",
        "--setopt=system_cachedir=/w/cache/dnf",
        "--setopt=logdir=/w/dnf/log",
        "--setopt=reposdir=/w/dnf/repos.d",
        "--setopt=varsdir=/w/dnf/vars",
        "--releasever=43",
        "install",
        "chrony",
    ]


def test_runs_where_mounts_die_with_it() -> None:
    """The root's /proc, /dev and /run belong to namespaces of the command alone."""
    argv = sandbox_argv(Path("/w/root"), ["dnf", "install"])
    assert argv[:6] == ["bwrap", "--dev-bind", "/", "/", "--proc", "/proc"]
    assert argv[6:12] == ["--proc", "/w/root/proc", "--dev", "/w/root/dev", "--tmpfs", "/w/root/run"]
    assert {"--unshare-pid", "--die-with-parent"} <= set(argv)
    assert argv[-2:] == ["dnf", "install"]


def test_what_to_install() -> None:
    """An environment and groups come before the packages."""
    packages = Packages(install=("chrony", "python3*"), groups=("core",), environment="server")
    assert install_words(packages) == ["--refresh", "install", "@^server", "@core", "chrony", "python3*"]


def test_main_section_checks_signatures_and_skips_nothing() -> None:
    """The options that keep an image honest do not depend on the kickstart."""
    text = main_section(Packages(exclude=("a*", "b"), exclude_docs=True, exclude_weakdeps=True))
    assert text == (
        "[main]\n"
        "gpgcheck=1\n"
        "localpkg_gpgcheck=1\n"
        "skip_if_unavailable=0\n"
        "best=1\n"
        "assumeyes=1\n"
        "keepcache=1\n"
        "plugins=0\n"
        "color=never\n"
        "install_weak_deps=0\n"
        "tsflags=nodocs\n"
        "excludepkgs=a* b\n"
    )


def test_repository_section() -> None:
    """Everything a repo command may say reaches dnf."""
    repository = Repository(
        name="my repo",
        metalink="https://mirrors.example.invalid/metalink?repo=a",
        includepkgs=("a", "b*"),
        excludepkgs=("c",),
        cost=500,
        proxy="http://proxy.example.invalid:3128",
        verify_tls=False,
    )
    assert repository_section(repository, [Path("/keys/a key"), Path("/keys/b")]) == (
        "[my-repo]\n"
        "name=my-repo\n"
        "metalink=https://mirrors.example.invalid/metalink?repo=a\n"
        "gpgkey=file:///keys/a%20key file:///keys/b\n"
        "includepkgs=a b*\n"
        "excludepkgs=c\n"
        "cost=500\n"
        "proxy=http://proxy.example.invalid:3128\n"
        "sslverify=0\n"
    )


def test_the_url_commands_repository_gets_a_name() -> None:
    """The `url` command names nothing, dnf needs a name."""
    section = repository_section(Repository("", baseurl="https://packages.example.invalid/"), [])
    assert section == "[url]\nname=url\nbaseurl=https://packages.example.invalid/\n"


@pytest.mark.parametrize(
    ("languages", "line"), [(("de", "fr"), "%_install_langs de:fr"), ((), "%_install_langs none"), (None, "")]
)
def test_rpm_macros(languages: tuple[str, ...] | None, line: str) -> None:
    """The database lies where Fedora looks, and languages are limited only when the kickstart says so."""
    text = rpm_macros(languages)
    assert "%_dbpath /usr/lib/sysimage/rpm\n" in text
    assert "%_pkgverify_level all\n" in text
    assert (line in text.splitlines()) if line else ("_install_langs" not in text)
