"""Trees that are copied, and trees that lend their files."""

import os
import shutil
from pathlib import Path

import pytest

from image.configure import write_text
from image.selinux import POLICY
from image.tree import borrow_tree
from tests.image.trees import make_tree


def test_a_borrowed_file_is_replaced_not_changed(tmp_path: Path) -> None:
    """The stage that lends its files keeps them as they are, whatever is written and added."""
    source = make_tree(tmp_path / "stage", {"etc/os-release": "old", "bin/sh": "#!", "lib": "->usr/lib"})
    target = tmp_path / "work/root"
    borrow_tree(source, target)
    assert (target / "bin/sh").samefile(source / "bin/sh")
    assert (target / "lib").readlink() == Path("usr/lib")
    write_text(target / "etc/os-release", "new")
    (target / "bin/sh").unlink()
    (target / "etc/added").touch()
    assert (source / "etc/os-release").read_text() == "old"
    assert (source / "bin/sh").exists()
    assert not (source / "etc/added").exists()


def test_files_that_get_labels_are_copied(tmp_path: Path) -> None:
    """A label is written to the file itself, whatever its name."""
    source = make_tree(tmp_path / "stage", {f"{POLICY}/": "", "bin/sh": "#!"})
    borrow_tree(source, tmp_path / "root")
    assert not (tmp_path / "root/bin/sh").samefile(source / "bin/sh")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system at /dev/shm")
def test_files_of_another_file_system_are_copied(tmp_path: Path) -> None:
    """The cache and the output folder need not be on one disk."""
    source = make_tree(tmp_path / "stage", {"bin/sh": "#!/bin/sh"})
    target = Path("/dev/shm") / f"virtnode-test-{os.getpid()}"
    try:
        borrow_tree(source, target)
        assert (target / "bin/sh").read_text() == "#!/bin/sh"
    finally:
        shutil.rmtree(target, ignore_errors=True)
