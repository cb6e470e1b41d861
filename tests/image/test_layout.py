"""Files of the checkout as they come to lie in a root."""

import os
from pathlib import Path

from image.layout import lay_file, lay_tree
from tests.image.trees import list_tree, make_tree


def modes(root: Path) -> dict[str, str]:
    """Map each path to its mode, in octal."""
    return {str(path.relative_to(root)): f"{path.stat().st_mode & 0o7777:o}" for path in root.rglob("*")}


def test_modes_are_the_same_whoever_checked_out(tmp_path: Path) -> None:
    """A checkout with a strict umask gives the same files as one with a lax one."""
    source = make_tree(tmp_path / "source", {"etc/conf": "x", "bin/tool": "#!/bin/sh\n"})
    for path in [*source.rglob("*"), source]:
        path.chmod(path.stat().st_mode & 0o700)
    before = os.umask(0o077)
    try:
        lay_tree(source, tmp_path / "target")
    finally:
        os.umask(before)
    assert modes(tmp_path / "target") == {"bin": "755", "bin/tool": "755", "etc": "755", "etc/conf": "644"}


def test_folders_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    """Laying files over a root does not open what a package has closed."""
    source = make_tree(tmp_path / "source", {"secret/conf": "x"})
    (tmp_path / "root/secret").mkdir(parents=True)
    (tmp_path / "root/secret").chmod(0o700)
    lay_tree(source, tmp_path / "root")
    assert modes(tmp_path / "root") == {"secret": "700", "secret/conf": "644"}


def test_patterns_leave_out_files_and_folders(tmp_path: Path) -> None:
    """A pattern is of a name at any depth."""
    source = make_tree(
        tmp_path / "source", {"a.py": "", "a/b.txt": "", "a/__pycache__/a.pyc": "", "a/c.py": ""}
    )
    lay_tree(source, tmp_path / "target", ignored=("__pycache__", "*.txt"))
    assert list_tree(tmp_path / "target") == {"/a.py", "/a/c.py"}


def test_a_link_in_the_way_is_replaced(tmp_path: Path) -> None:
    """A link in the root may point to the host's own file, which stays as it is."""
    host = tmp_path / "host"
    host.write_text("host's")
    target = tmp_path / "target"
    target.symlink_to(host)
    (tmp_path / "source").write_text("ours")
    lay_file(tmp_path / "source", target)
    assert (host.read_text(), target.read_text()) == ("host's", "ours")


def test_links_stay_links(tmp_path: Path) -> None:
    """A link of the overlay is copied as one, whether or not its target exists here."""
    source = make_tree(tmp_path / "source", {"etc/mtab": "->../proc/self/mounts", "etc/gone": "->nowhere"})
    lay_tree(source, tmp_path / "target")
    assert str((tmp_path / "target/etc/gone").readlink()) == "nowhere"
