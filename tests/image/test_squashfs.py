"""The root as a squashfs: the command line, and the real tool's output."""

import os
from pathlib import Path

import pytest

from image.plan import Profile
from image.squashfs import make_squashfs, mksquashfs_argv
from nodelib.errors import VirtnodeError
from tests.image.trees import make_tree

EPOCH = 1_700_000_000


@pytest.mark.parametrize(("profile", "compressor"), [(Profile.RELEASE, "xz"), (Profile.DEV, "zstd")])
def test_each_profile_has_its_compressor(profile: Profile, compressor: str) -> None:
    """Release is small and dev is quick; both date everything alike."""
    argv = [str(word) for word in mksquashfs_argv(Path("/root"), Path("/out"), profile, EPOCH)]
    assert argv[:3] == ["mksquashfs", "/root", "/out"]
    assert argv[argv.index("-comp") + 1] == compressor
    assert argv[argv.index("-mkfs-time") + 1] == argv[argv.index("-all-time") + 1] == str(EPOCH)


@pytest.mark.parametrize("profile", list(Profile))
def test_the_same_tree_gives_the_same_bytes(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the time stamps of the files nor SOURCE_DATE_EPOCH of the caller shows."""
    contents = {"etc/a": "a" * 9000, "usr/bin/b": "#!/bin/sh\n", "usr/c": "->bin/b"}
    for number, name in enumerate(("one", "two")):
        root = make_tree(tmp_path / name, contents)
        os.utime(root / "etc/a", (number, number))
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(number))
        make_squashfs(root, tmp_path / f"{name}.squashfs", profile, EPOCH)
    assert (tmp_path / "one.squashfs").read_bytes() == (tmp_path / "two.squashfs").read_bytes()


def test_a_missing_tree_is_an_error(tmp_path: Path) -> None:
    """The tool's own words say what is missing."""
    with pytest.raises(VirtnodeError, match="mksquashfs ended with status 1"):
        make_squashfs(tmp_path / "absent", tmp_path / "out", Profile.DEV, EPOCH)
