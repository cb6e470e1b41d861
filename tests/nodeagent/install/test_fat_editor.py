"""Files of a FAT changed in place, seen by dosfstools and mtools; a loss of power at every single write."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.install.fat_editor import FatEditor, runs_of
from nodelib.errors import VirtnodeError
from nodelib.run import run
from nodelib.slots import MEBIBYTE

KEPT = b"the other slot's kernel " * 9000


def ignore(count: int) -> None:
    """Hear how far it is, and forget it."""


def make_fat(folder: Path, kind: int) -> Path:
    """Make a file system with other people's tool, and a file and two folders in it."""
    path, kept = folder / "esp", folder / "kept"
    size = "64" if kind == 32 else "32"
    argv: list[str | Path] = ["mkfs.vfat", "-F", str(kind), "-s", "1" if kind == 32 else "4"]
    run([*argv, "-C", path, str(int(size) * 1024)])
    kept.write_bytes(KEPT)
    for name in ("a", "grub"):
        run(["mmd", "-i", path, f"::{name}"])
    run(["mcopy", "-i", path, kept, "::a/vmlinuz"])
    return path


@pytest.fixture(params=(16, 32))
def esp(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Make a file system of either width."""
    return make_fat(tmp_path, request.param)


def blocks_of(data: bytes) -> Iterator[bytes]:
    """Cut data into pieces that are no clusters."""
    yield from (data[place : place + 7001] for place in range(0, len(data), 7001))


def write(path: Path, name: str, data: bytes) -> str:
    """Write a file."""
    disk = os.open(path, os.O_RDWR)
    try:
        return FatEditor(disk, 0).write_file(name, len(data), blocks_of(data), ignore)
    finally:
        os.close(disk)


def edit(path: Path) -> FatEditor:
    """Open it; the test's own process closes it."""
    return FatEditor(os.open(path, os.O_RDWR), 0)


def read(path: Path, name: str) -> bytes:
    """Read a file with mtools."""
    target = path.parent / "read"
    target.unlink(missing_ok=True)
    run(["mcopy", "-o", "-n", "-i", path, f"::{name}", target], check=False)
    return target.read_bytes() if target.exists() else b""


def test_files_are_written_replaced_and_removed(esp: Path) -> None:
    """Each step leaves a file system that its checker has nothing to say about."""
    editor = edit(esp)
    before = editor.free_bytes()
    editor.make_folder("b")
    editor.make_folder("b")
    for data in (b"first " * 50000, b"second " * 9000, b""):
        assert write(esp, "b/initrd.img", data) == hashlib.sha256(data).hexdigest()
        run(["fsck.vfat", "-n", esp])
        assert read(esp, "b/initrd.img") == data
    write(esp, "b/slot.cfg", b"set title='b'\n")
    assert "initrd.img" in run(["mdir", "-b", "-i", esp, "::b"]).stdout
    room = editor.free_bytes()
    assert editor.free_bytes(["b/slot.cfg", "b/none"]) == room + editor.cluster_bytes
    for name in ("b/initrd.img", "b/slot.cfg", "b/none"):
        editor.remove_file(name)
        run(["fsck.vfat", "-n", esp])
    assert editor.free_bytes() == before - editor.cluster_bytes
    assert read(esp, "a/vmlinuz") == KEPT


def test_a_file_keeps_its_place(esp: Path) -> None:
    """What is overwritten has the same clusters: a boot loader that knows them finds it."""
    write(esp, "grub/grubenv", b"a" * 1024)
    editor = edit(esp)
    place = editor.find("grub/grubenv")
    editor.overwrite("grub/grubenv", b"b" * 1024)
    assert editor.find("grub/grubenv") == place
    assert read(esp, "grub/grubenv") == b"b" * 1024
    with pytest.raises(VirtnodeError, match="not on the boot partition"):
        editor.overwrite("grub/grubenv", b"b" * 512)


def test_long_names_go_with_their_files(esp: Path, tmp_path: Path) -> None:
    """What somebody else wrote with a long name leaves nothing behind."""
    source = tmp_path / "Initrd-With-Long.img"
    source.write_bytes(b"x")
    run(["mcopy", "-i", esp, source, "::a/Initrd.img"])
    edit(esp).remove_file("a/initrd.img")
    assert "img" not in run(["mdir", "-b", "-i", esp, "::a"]).stdout.lower()
    run(["fsck.vfat", "-n", esp])


def test_what_does_not_fit_is_refused(esp: Path) -> None:
    """No room, a file shorter or longer than was said, no such folder: nothing changed."""
    before = run(["mdir", "-/", "-i", esp]).stdout
    editor = edit(esp)
    room = editor.free_bytes()
    for size, data, words in (
        (room + 1, b"", "is full"),
        (10, b"x" * 11, "not as long"),
        (12, b"x" * 11, "not as long"),
    ):
        with pytest.raises(VirtnodeError, match=words):
            editor.write_file("a/new", size, blocks_of(data), ignore)
    with pytest.raises(VirtnodeError, match="no folder none"):
        editor.write_file("none/new", 1, [b"x"], ignore)
    assert run(["mdir", "-/", "-i", esp]).stdout == before


class PowerCut(BaseException):
    """The machine lost its power."""


def test_a_power_cut_at_any_write_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is touched, the checker finds lost room at most, and the next try succeeds."""
    old, new = b"old " * 1500, b"new " * 2500
    template = make_fat(tmp_path, 32)
    write(template, "a/initrd.img", old)
    content, cut, seen = template.read_bytes(), 0, set()
    real_write = os.pwrite
    finished = False
    while not finished:
        esp = tmp_path / "esp-cut"
        esp.write_bytes(content)
        left = cut

        def pwrite(disk: int, data: bytes, place: int) -> int:
            nonlocal left
            if left == 0:
                raise PowerCut
            left -= 1
            return real_write(disk, data, place)

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", pwrite)
            try:
                write(esp, "a/initrd.img", new)
                finished = True
            except PowerCut:
                cut += 1
        found = read(esp, "a/initrd.img")
        assert found in (old, new)
        seen.add(found)
        assert read(esp, "a/vmlinuz") == KEPT
        said = run(["fsck.vfat", "-n", esp], check=False).stdout
        assert "Bad" not in said, said
        assert "share" not in said, said
        write(esp, "a/initrd.img", new)
        run(["fsck.vfat", "-n", esp])
    assert seen == {old, new}
    assert cut > 5


def test_clusters_in_a_row_are_one_run() -> None:
    """And every gap begins another."""
    assert runs_of([5, 6, 7, 9, 2, 3]) == [(5, 3), (9, 1), (2, 2)]
    assert runs_of([]) == []


def test_what_is_no_fat_is_refused(tmp_path: Path) -> None:
    """An empty disk, and one that is too small a FAT to hold a kernel."""
    path = tmp_path / "disk"
    path.write_bytes(bytes(MEBIBYTE))
    with pytest.raises(VirtnodeError, match="no FAT"):
        edit(path)
    path.unlink()
    run(["mkfs.vfat", "-F", "12", "-C", path, "1024"])
    with pytest.raises(VirtnodeError, match="too small"):
        edit(path)
