"""Which repositories and keys the Fedora base chooses, before any dnf runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from image.bases import Sources
from image.bases.fedora import find_keys, select_repositories
from image.config import ImageConfig, Repository
from nodelib.errors import Code, InvalidInput, VirtnodeError

MAIN = Repository(
    "", metalink="https://mirrors.example.invalid/metalink?repo=fedora-$releasever&arch=$basearch"
)
UPDATES = Repository("updates", baseurl="https://packages.example.invalid/updates/$releasever")
CONFIG = ImageConfig(source=Path("node.ks"), base="fedora", suite="43", url=MAIN, repositories=(UPDATES,))


def test_the_kickstarts_repositories() -> None:
    """The main repository comes first, with its variables expanded."""
    main, updates = select_repositories(CONFIG, Sources())
    assert main.metalink.endswith("repo=fedora-43&arch=x86_64")
    assert updates.baseurl == "https://packages.example.invalid/updates/43"


@pytest.mark.parametrize("url", [MAIN, None], ids=["replaced", "added"])
def test_a_mirror_takes_the_main_repositorys_place(url: Repository | None) -> None:
    """--mirror replaces the url command, and leaves the others alone."""
    sources = Sources(mirror="https://mirror.example.invalid/$releasever")
    main, updates = select_repositories(replace(CONFIG, url=url), sources)
    assert (main.baseurl, main.metalink) == ("https://mirror.example.invalid/43", "")
    assert updates.name == "updates"


def test_a_kickstart_without_repositories() -> None:
    """There is nothing to install from, and it says how to mend that."""
    with pytest.raises(InvalidInput, match="names no repository") as caught:
        select_repositories(replace(CONFIG, url=None, repositories=()), Sources())
    assert "--mirror" in caught.value.hint


@pytest.mark.parametrize(
    "path",
    [
        "usr/share/distribution-gpg-keys/fedora/RPM-GPG-KEY-fedora-43-primary",
        "etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-43-x86_64",
    ],
)
def test_the_hosts_keys_serve_when_the_kickstart_names_none(path: str, tmp_path: Path) -> None:
    """Fedora's own key is found where Fedora and its package of keys put it."""
    key = tmp_path / path
    key.parent.mkdir(parents=True)
    key.touch()
    assert find_keys(CONFIG, tmp_path) == [key]


def test_the_kickstarts_keys_come_first(tmp_path: Path) -> None:
    """A key that the kickstart names is the only one trusted."""
    (tmp_path / "key").touch()
    assert find_keys(replace(CONFIG, gpg_keys=(str(tmp_path / "key"),)), Path("/")) == [tmp_path / "key"]


def test_without_any_key_it_says_what_to_pass(tmp_path: Path) -> None:
    """No key means no image, in one line."""
    with pytest.raises(VirtnodeError, match="no key of Fedora 43") as caught:
        find_keys(CONFIG, tmp_path)
    assert caught.value.code is Code.NOT_FOUND
    assert "gpgkey" in caught.value.hint


def test_every_absent_key_is_named() -> None:
    """All keys that do not exist are told in one run."""
    with pytest.raises(InvalidInput) as caught:
        find_keys(replace(CONFIG, gpg_keys=("/nowhere/a", "/nowhere/b")), Path("/"))
    assert caught.value.problems == ("the key /nowhere/a does not exist", "the key /nowhere/b does not exist")
