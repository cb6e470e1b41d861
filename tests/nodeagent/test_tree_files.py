"""Files of a root tree, put in place whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.tree_files import ABSENT, SELINUX, TreeFiles, symlink, text_file
from nodelib.errors import Code, VirtnodeError


@pytest.fixture
def strict_mask() -> Iterator[None]:
    """Make new files as private as the agent's unit does."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_mask")
def test_everybody_may_read_what_is_for_everybody(tmp_path: Path) -> None:
    """networkd and resolved give up root's rights before they read."""
    tree = TreeFiles(tmp_path)
    tree.put("etc/systemd/network/a.network", text_file("x"))
    for name, mode in (("etc", 0o755), ("etc/systemd", 0o755), ("etc/systemd/network", 0o755)):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode
    assert (tmp_path / "etc/systemd/network/a.network").stat().st_mode & 0o777 == 0o644


def test_a_file_becomes_a_link_becomes_nothing(tmp_path: Path) -> None:
    """Whatever was at the path, afterwards it is as described, and reading it says so."""
    tree = TreeFiles(tmp_path)
    for state in (
        text_file("one", 0o600),
        symlink("../two"),
        text_file("three"),
        ABSENT,
        symlink("four"),
        ABSENT,
    ):
        tree.put("etc/x", state)
        assert tree.state("etc/x") == state
        assert [path.name for path in (tmp_path / "etc").iterdir()] == ["x"] * (state.content is not None)


def test_nothing_is_made_for_what_shall_not_be(tmp_path: Path) -> None:
    """To take away what is not there makes no folder."""
    TreeFiles(tmp_path).put("etc/x/y", ABSENT)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """What it leads to is somebody else's."""
    (tmp_path / "other").write_text("theirs")
    (tmp_path / "x").symlink_to("other")
    TreeFiles(tmp_path).put("x", text_file("ours"))
    assert ((tmp_path / "other").read_text(), (tmp_path / "x").read_text()) == ("theirs", "ours")


def test_what_an_interrupted_write_left_goes(tmp_path: Path) -> None:
    """The next write, or the clean-up, removes it."""
    tree = TreeFiles(tmp_path)
    left = tmp_path / ".x.new"
    left.write_text("half")
    tree.put("x", text_file("whole"))
    assert not left.exists()
    left.write_text("half")
    tree.put("x", ABSENT)
    assert list(tmp_path.iterdir()) == []
    left.write_text("half")
    tree.discard_unfinished("x")
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_text_are_kept(tmp_path: Path) -> None:
    """A file of somebody else may hold anything."""
    (tmp_path / "x").write_bytes(b"\x00\xff")
    tree = TreeFiles(tmp_path)
    tree.put("y", tree.state("x"))
    assert (tmp_path / "y").read_bytes() == b"\x00\xff"


def test_a_folder_is_neither_file_nor_link(tmp_path: Path) -> None:
    """It is not replaced."""
    (tmp_path / "x").mkdir()
    with pytest.raises(VirtnodeError) as caught:
        TreeFiles(tmp_path).state("x")
    assert caught.value.code is Code.CONFLICT


def test_only_empty_folders_are_removed(tmp_path: Path) -> None:
    """What somebody put there meanwhile stays."""
    (tmp_path / "a/b").mkdir(parents=True)
    tree = TreeFiles(tmp_path)
    tree.remove_folder("a")
    tree.remove_folder("missing")
    assert (tmp_path / "a/b").is_dir()
    tree.remove_folder("a/b")
    assert not (tmp_path / "a/b").exists()


@pytest.mark.integration
def test_a_file_keeps_the_label_that_it_had(tmp_path: Path) -> None:
    """A new file in /etc would have that of /etc: everybody's to read, where it was one of passwords."""
    tree, label = TreeFiles(tmp_path), b"system_u:object_r:shadow_t:s0\0"
    tree.put("etc/shadow", text_file("one"))
    try:
        os.setxattr(tmp_path / "etc/shadow", SELINUX, label)
    except OSError:
        pytest.skip("this file system keeps no labels")
    tree.put("etc/shadow", text_file("two"))
    assert os.getxattr(tmp_path / "etc/shadow", SELINUX) == label
