"""The Debian base: command lines, states of archives, and failures in a person's words."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image.bases import Sources
from image.bases.debian import ASIDE_INSIDE, FILTERS, KEYRING, Debian, mmdebstrap_argv
from image.config import ImageConfig, Packages, Repository
from nodelib.errors import Code, VirtnodeError
from tests.image.archives import SUITE, make_archive, served
from tests.image.trees import make_tree

CONFIG = ImageConfig(
    source=Path("node.ks"),
    base="debian",
    suite=SUITE,
    packages=Packages(
        install=("systemd", "udev"),
        exclude=("perl",),
        exclude_docs=True,
        exclude_weakdeps=True,
        languages=("cs",),
    ),
)


def argv_of(packages: Packages) -> list[str]:
    """Build the installer's command line for these packages."""
    config = replace(CONFIG, packages=packages)
    return mmdebstrap_argv(config, ["deb LINE"], Path("/root tree"), Path("/cache/ar chives"))


def test_the_command_line_has_what_the_kickstart_says() -> None:
    """Packages in, packages out, no documentation but licences, translations, no recommendations."""
    argv = argv_of(CONFIG.packages)
    assert argv[:4] == ["unshare", "--mount", "--", "mmdebstrap"]
    assert argv[-3:] == [SUITE, "/root tree", "deb LINE"]
    assert "--include=systemd,udev,perl-" in argv
    assert "--aptopt=APT::Install-Recommends false" in argv
    hook = extract_hook_of(CONFIG.packages)
    assert "path-exclude=/usr/share/man/*" in hook
    assert "path-include=/usr/share/doc/*/copyright" in hook
    assert "path-include=/usr/share/locale/cs/*" in hook


def extract_hook_of(packages: Packages) -> str:
    """Give the hook that runs once the first packages are extracted."""
    (hook,) = [word for word in argv_of(packages) if word.startswith("--extract-hook=")]
    return hook.removeprefix("--extract-hook=")


def run_extract_hook(packages: Packages, root: Path) -> None:
    """Do to `root` what mmdebstrap does."""
    subprocess.run(["sh", "-c", extract_hook_of(packages), "exec", str(root)], check=True)


def test_dpkg_in_the_root_has_the_filters(tmp_path: Path) -> None:
    """Licences are included after what excludes them: the last filter that matches decides."""
    make_tree(tmp_path, {"etc/dpkg/dpkg.cfg.d/README": ""})
    run_extract_hook(CONFIG.packages, tmp_path)
    lines = (tmp_path / FILTERS.lstrip("/")).read_text().splitlines()
    assert lines.index("path-include=/usr/share/doc/*/copyright") > lines.index(
        "path-exclude=/usr/share/doc/*"
    )
    assert "path-exclude=/usr/share/locale/*/LC_MESSAGES/*" in lines


def test_what_was_extracted_before_the_filters_goes(tmp_path: Path) -> None:
    """dpkg unpacks those packages again, and brings back what the filters let through."""
    gone = ["usr/share/doc/base/copyright", "usr/share/man/man1/a.1", "usr/share/locale/de/LC_MESSAGES/a.mo"]
    kept = ["usr/share/locale/locale.alias", "etc/dpkg/dpkg.cfg.d/README"]
    make_tree(tmp_path, dict.fromkeys([*gone, *kept], ""))
    run_extract_hook(CONFIG.packages, tmp_path)
    assert not any((tmp_path / name).exists() for name in gone)
    assert all((tmp_path / name).exists() for name in kept)


def test_nothing_is_left_out_unasked(tmp_path: Path) -> None:
    """Without options everything a package brings is installed, and what it recommends."""
    packages = Packages(install=("systemd",))
    make_tree(tmp_path, {"usr/share/doc/base/README": ""})
    run_extract_hook(packages, tmp_path)
    assert (tmp_path / "usr/share/doc/base/README").exists()
    assert not (tmp_path / FILTERS.lstrip("/")).exists()
    assert "--aptopt=APT::Install-Recommends true" in argv_of(packages)


def test_what_the_pipeline_does_itself_stands_aside(tmp_path: Path) -> None:
    """Package scripts find our commands first, and nothing of them stays."""
    run_extract_hook(Packages(install=("systemd",)), tmp_path)
    aside = tmp_path / ASIDE_INSIDE.lstrip("/")
    assert sorted(path.name for path in aside.iterdir()) == ["depmod", "py3compile"]
    assert all(os.access(path, os.X_OK) for path in aside.iterdir())
    argv = argv_of(Packages(install=("systemd",)))
    assert f"--aptopt=DPkg::Path {ASIDE_INSIDE}:/usr/sbin:/usr/bin:/sbin:/bin" in argv
    assert any(word.startswith("--customize-hook=") and "umount" in word for word in argv)


def run_customize_hook(root: Path) -> int:
    """Do to `root` what mmdebstrap does last, but for the mount; return the status."""
    (hook,) = [word for word in argv_of(CONFIG.packages) if word.startswith("--customize-hook=")]
    command = hook.removeprefix("--customize-hook=").partition(" && umount")[0]
    return subprocess.run(["sh", "-c", command, "exec", str(root)], timeout=30).returncode


@pytest.mark.parametrize(("indexed", "status"), [(None, 0), ("true", 0), ("false", 1)])
def test_the_installer_waits_for_the_index(tmp_path: Path, indexed: str | None, status: int) -> None:
    """It runs beside the installer: without a kernel there is none, and one that failed fails the build."""
    run_extract_hook(Packages(install=("systemd",)), tmp_path)
    stub = tmp_path / ASIDE_INSIDE.lstrip("/") / "depmod"
    if indexed:
        stub.write_text(stub.read_text().replace("/usr/sbin/depmod", f"sleep 0.3; {indexed}"))
        subprocess.run([stub, "6.1"], check=True)
    assert run_customize_hook(tmp_path) == status
    assert stub.exists() is (status != 0)


def test_paths_are_quoted_for_the_hook() -> None:
    """Mmdebstrap's hooks are lines of shell: a folder with a blank is one word."""
    hook = next(word for word in argv_of(CONFIG.packages) if word.startswith("--setup-hook"))
    assert "mount --bind '/cache/ar chives' " in hook


def states_of(url: str, config: ImageConfig = CONFIG) -> dict[str, str]:
    """Ask a mirror for its states."""
    sources = Sources(mirror=f"{url}/debian")
    return {state.name: state.digest for state in Debian().read_repositories(config, sources)}


def test_a_state_changes_with_what_is_offered(tmp_path: Path) -> None:
    """The digest is the content's: neither the address nor the time matters."""
    make_archive(tmp_path / "one")
    make_archive(tmp_path / "two")
    with served(tmp_path / "one") as one, served(tmp_path / "two") as two:
        before = states_of(one)
        assert states_of(two) == before
        make_archive(tmp_path / "two", text="more")
        after = states_of(two)
    assert set(before) == {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    assert all(before[name] != after[name] for name in before)


def test_further_repositories_have_a_state(tmp_path: Path) -> None:
    """A repo command's archive counts, though its release has the same name."""
    make_archive(tmp_path)
    make_archive(tmp_path / "extra", text="extra")
    with served(tmp_path) as url:
        extra = Repository("ours", baseurl=f"{url}/extra/debian")
        states = states_of(url, replace(CONFIG, repositories=(extra,)))
        assert set(states) - set(states_of(url)) == {"ours"}
    assert states["ours"] != states[SUITE]


def test_an_unreachable_archive_is_told() -> None:
    """The error names the address and the option that gives another."""
    with pytest.raises(
        VirtnodeError, match=r"http://127\.0\.0\.1:9/debian/dists/.* cannot be read"
    ) as caught:
        states_of("http://127.0.0.1:9")
    assert caught.value.code is Code.UNAVAILABLE
    assert "--mirror" in caught.value.hint


@pytest.mark.parametrize("mirror", ["not-a-url", "http://[", "ftp:", "http://127.0.0.1:99999/debian"])
def test_a_mirror_that_is_no_address_is_told(mirror: str) -> None:
    """Whatever is wrong with it, the answer is one line with a hint."""
    with pytest.raises(VirtnodeError, match="cannot be read") as caught:
        Debian().read_repositories(CONFIG, Sources(mirror=mirror))
    assert "\n" not in caught.value.message


def test_a_mirror_without_the_release_is_told(tmp_path: Path) -> None:
    """A misspelt suite is a file that the archive does not have."""
    make_archive(tmp_path)
    with served(tmp_path) as url, pytest.raises(VirtnodeError, match=r"trixy.*[Nn]ot found"):
        states_of(url, replace(CONFIG, suite="trixy"))


FAILURES = {
    "E: Unable to locate package sytemd\n": (Code.INVALID, "no repository has the package sytemd"),
    "E: Package 'a' has no installation candidate\nE: Unable to locate package b\n": (
        Code.INVALID,
        "no repository has the package a, b",
    ),
    "W: GPG error: http://x InRelease: NO_PUBKEY 123\nE: The repository is not signed.\n": (
        Code.DENIED,
        "a repository is not signed by a key of the keyring",
    ),
    "dpkg: error: write error: No space left on device\n": (
        Code.FAILED,
        "the disk is full: mmdebstrap: dpkg: error: write error: No space left on device",
    ),
    "I: running\nE: one\nE: two\nE: three\n": (Code.FAILED, "mmdebstrap failed: E: one; E: two"),
    "the last line\n": (Code.FAILED, "mmdebstrap failed: the last line"),
    "": (Code.FAILED, "mmdebstrap failed: it said nothing"),
}


@pytest.fixture
def fake_mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an mmdebstrap on PATH that repeats a file's words and fails."""
    words = tmp_path / "words"
    script = f"#!/bin/sh\n/bin/cat {words} >&2\nexit 1\n"
    make_tree(tmp_path / "bin", {"mmdebstrap": script, "unshare": '#!/bin/sh\nshift 2\nexec "$@"\n'})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return words


@pytest.mark.parametrize("said", FAILURES)
def test_failures_are_told_in_a_persons_words(said: str, fake_mmdebstrap: Path, tmp_path: Path) -> None:
    """What mmdebstrap, apt and dpkg say becomes a code, a line and a hint."""
    if not KEYRING.exists():
        pytest.skip("Debian's keyring is not installed")
    fake_mmdebstrap.write_text(said)
    sources = Sources(mirror="http://a.invalid/debian", cache=tmp_path / "cache")
    with pytest.raises(VirtnodeError) as caught:
        Debian().install(CONFIG, sources, tmp_path / "root", lambda line: None)
    assert (caught.value.code, caught.value.message) == FAILURES[said]
    assert caught.value.hint


def test_a_missing_keyring_is_told(tmp_path: Path) -> None:
    """Without the key nothing is installed, and the hint names the package."""
    config = replace(CONFIG, gpg_keys=(str(tmp_path / "absent.gpg"),))
    sources = Sources(mirror="http://a.invalid/debian", cache=tmp_path / "cache")
    with pytest.raises(VirtnodeError, match=r"absent\.gpg is not there") as caught:
        Debian().install(config, sources, tmp_path / "root", lambda line: None)
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.integration
def test_the_package_database_is_read(node_tree: Path) -> None:
    """Every package of a real root has a version, a source and files, and most a licence."""
    packages = Debian().list_packages(node_tree)
    names = {package.name for package in packages}
    assert {"systemd", "libc6", "qemu-system-x86"} <= names
    assert all(package.version and package.source and package.files for package in packages)
    known = [package for package in packages if package.licence != "NOASSERTION"]
    assert len(known) > 0.9 * len(packages)
