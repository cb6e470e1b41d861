"""Who owns a file of the root, whatever path its package calls it by."""

import os
from pathlib import Path

import pytest

from image.bases import Package
from image.file_owners import (
    Ownership,
    Usage,
    collect_ownership,
    measure_usage,
    owners_of,
    read_ownership,
    write_ownership,
)
from nodelib.errors import Code, VirtnodeError


def package(name: str, *files: str) -> Package:
    """Make a package that lists these files."""
    return Package(name, "1", "amd64", "MIT", f"{name} 1", files)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root with a merged /usr, as Debian and Fedora have it."""
    for directory in ("usr/lib/modules/1", "usr/bin", "usr/lib64", "etc", "usr/lib/virtnode"):
        (tmp_path / directory).mkdir(parents=True)
    for link, target in (
        ("lib", "usr/lib"),
        ("bin", "usr/bin"),
        ("sbin", "/usr/sbin"),
        ("lib64", "usr/lib64"),
    ):
        (tmp_path / link).symlink_to(target)
    (tmp_path / "usr/sbin").symlink_to("bin")
    for name, size in (
        ("usr/lib/libx.so.1", 100),
        ("usr/bin/tool", 50),
        ("usr/lib/modules/1/nic.ko", 30),
        ("usr/lib/virtnode/agent.py", 7),
        ("etc/ld.so.cache", 5),
    ):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / "usr/lib/libx.so").symlink_to("libx.so.1")
    os.link(tmp_path / "usr/bin/tool", tmp_path / "usr/bin/again")
    return tmp_path


def test_paths_through_linked_directories_are_found(root: Path) -> None:
    """/lib/x, /sbin/x and absolute or nested directory links all lead to where the file is."""
    owners = owners_of(
        root,
        [
            package("libx", "/lib", "/lib/libx.so.1", "/lib/libx.so", "/lib/gone"),
            package("tool", "/sbin/tool", "/bin/again", "/usr/bin"),
        ],
    )
    assert owners == {
        "/usr/bin/again": "tool",
        "/usr/bin/tool": "tool",
        "/usr/lib/libx.so": "libx",
        "/usr/lib/libx.so.1": "libx",
    }


def test_first_package_by_name_keeps_a_shared_file(root: Path) -> None:
    """Two claims on a path are settled the same way whatever the order of the packages."""
    claims = [package("b", "/usr/bin/tool"), package("a", "/bin/tool")]
    assert owners_of(root, claims) == owners_of(root, claims[::-1]) == {"/usr/bin/tool": "a"}


def test_compiled_python_goes_with_its_module(root: Path) -> None:
    """Byte-code belongs to the module's package, even where trimming has taken the module."""
    (root / "usr/lib/__pycache__").mkdir()
    (root / "usr/lib/__pycache__/mod.cpython-313.pyc").write_bytes(b"x")
    assert owners_of(root, [package("py", "/usr/lib/mod.py")]) == {
        "/usr/lib/__pycache__/mod.cpython-313.pyc": "py"
    }


def test_links_in_a_circle_end(root: Path) -> None:
    """A directory link that leads to itself owns nothing and hangs nothing."""
    (root / "loop").symlink_to("loop")
    assert owners_of(root, [package("a", "/loop/x")]) == {}


def test_every_file_has_an_owner(root: Path) -> None:
    """What no package brought is ours or generated; modules also belong to their group."""
    ownership = collect_ownership(
        root,
        [package("linux", "/lib/modules/1/nic.ko")],
        own_paths=["/usr/lib/virtnode/"],
        drivers={"/lib/modules/1/nic.ko": "net", "/lib/modules/1/gone.ko": "gpu"},
    )
    assert ownership.owners["/usr/lib/virtnode/agent.py"] == "virtnode"
    assert ownership.owners["/etc/ld.so.cache"] == "generated"
    assert ownership.owners["/usr/lib/modules/1/nic.ko"] == "linux"
    assert ownership.owners["/lib"] == "generated"
    assert ownership.drivers == {"/usr/lib/modules/1/nic.ko": "net"}


def test_hard_links_and_symlinks_cost_no_bytes(root: Path) -> None:
    """The second name of a file, and a symbolic link, count as files and not as bytes."""
    owners = {"/usr/bin/again": "a", "/usr/bin/tool": "b", "/usr/lib/libx.so": "b", "/not/there": "c"}
    assert measure_usage(root, owners) == (Usage("a", 50, 1), Usage("b", 0, 2))


def test_list_survives_writing(tmp_path: Path) -> None:
    """What is written is read back, and the same list gives the same bytes."""
    ownership = Ownership({"/b": "two", "/a": "one"}, {"/b": "net"})
    write_ownership(ownership, tmp_path / "one")
    write_ownership(Ownership({"/a": "one", "/b": "two"}, {"/b": "net"}), tmp_path / "two")
    assert read_ownership(tmp_path / "one") == ownership
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no xz", b"\xfd7zXZ\x00"])
def test_broken_list_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no ownership list gives one line and a hint."""
    (tmp_path / "list").write_bytes(content)
    with pytest.raises(VirtnodeError, match="not an ownership list") as caught:
        read_ownership(tmp_path / "list")
    assert caught.value.code is Code.INVALID
    assert caught.value.hint
