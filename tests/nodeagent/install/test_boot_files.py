"""Where kernel and boot loaders come from: an ISO that xorriso made, a PXE folder, and what is refused."""

import hashlib
import os
from pathlib import Path

import pytest

from image.boot_set import install_boot_set
from image.media.iso import make_iso
from image.media.pxe import make_pxe
from image.netboot import serve_folder
from nodeagent.install.boot_files import fetch_file, load_boot_files
from nodeagent.install.medium import Medium, efi_image_offset, find_medium
from nodeagent.install.squashfs import HEAD, TAIL, squashfs_ends, squashfs_size
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.image.payloads import make_payload, need_grub
from tests.nodeagent.install.machines import ISO_MOUNTS
from tests.nodeagent.install.works import IMAGE_BYTES, make_squashfs
from tests.nodeagent.machines import make_machine


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a root that knows the sums of a tiny payload."""
    need_grub()
    payload = make_payload(tmp_path / "payload")
    kernel = {
        "vmlinuz": payload.kernel,
        "initrd.img": payload.initramfs,
        "initrd-network.img": payload.network_initramfs,
    }
    install_boot_set(tmp_path / "root", payload.boot, kernel)
    return tmp_path / "root"


@pytest.fixture
def iso(root: Path, tmp_path: Path) -> Medium:
    """Make an ISO of the payload, and extract its files as a mount would show them."""
    (tmp_path / "out").mkdir()
    (tmp_path / "work").mkdir()
    made = make_iso(make_payload(tmp_path / "payload"), tmp_path / "work", tmp_path / "out")[0]
    run(["xorriso", "-osirrox", "on", "-indev", made, "-extract", "/", tmp_path / "mounted"])
    return Medium(None, folder=tmp_path / "mounted", device=made)


def test_an_iso_has_all_boot_files(root: Path, iso: Medium, tmp_path: Path) -> None:
    """Shim and GRUB come out of its EFI image, found by the boot catalog."""
    files, payload = load_boot_files(root, iso), tmp_path / "payload"
    assert files.kernel == (payload / "kernel").read_bytes()
    assert files.initramfs == (payload / "initramfs").read_bytes()
    assert files.shim == (payload / "shim").read_bytes()
    assert files.grub == (payload / "grub-removable").read_bytes()
    assert len(files.core_image) > 50_000


def test_a_server_has_all_boot_files(root: Path, tmp_path: Path) -> None:
    """The PXE folder of the same build, by HTTP; its initramfs is the one with the network."""
    out = tmp_path / "out"
    out.mkdir()
    make_pxe(make_payload(tmp_path / "payload"), tmp_path, out)
    with serve_folder(out / "pxe") as port:
        files = load_boot_files(root, Medium(None, url=f"http://127.0.0.1:{port}"))
        assert files.initramfs == (tmp_path / "payload/network").read_bytes()
        assert files.grub == (tmp_path / "payload/grub-removable").read_bytes()
        with pytest.raises(VirtnodeError) as caught:
            fetch_file(f"http://127.0.0.1:{port}/nothing")
    assert caught.value.code is Code.UNAVAILABLE


def test_a_file_of_another_build_is_refused(root: Path, iso: Medium) -> None:
    """Before anything is written."""
    assert iso.folder is not None
    kernel = iso.folder / "boot/vmlinuz"
    kernel.chmod(0o644)
    kernel.write_bytes(b"another")
    with pytest.raises(VirtnodeError, match="vmlinuz is not the one"):
        load_boot_files(root, iso)


def test_a_disk_is_no_source(root: Path) -> None:
    """It says from where one can install."""
    with pytest.raises(VirtnodeError, match="started from a disk"):
        load_boot_files(root, Medium(None))


def test_an_image_without_sums_says_so(tmp_path: Path) -> None:
    """It was built without what an installation needs."""
    with pytest.raises(VirtnodeError) as caught:
        load_boot_files(tmp_path, Medium(None, url="http://192.0.2.1"))
    assert caught.value.code is Code.UNAVAILABLE


def test_what_is_no_medium_has_no_catalog(tmp_path: Path) -> None:
    """Nor is every file a squashfs."""
    path = tmp_path / "file"
    path.write_bytes(hashlib.sha256(b"x").digest() * 2000)
    with path.open("rb") as file, pytest.raises(VirtnodeError, match="no boot catalog"):
        efi_image_offset(file.fileno())
    with pytest.raises(VirtnodeError, match="no squashfs"):
        squashfs_size(path)
    assert squashfs_size(make_squashfs(tmp_path / "image")) == IMAGE_BYTES


def test_ends_are_read_of_what_is_there(tmp_path: Path) -> None:
    """A superblock that says more than there is leads nowhere else, and no squashfs has no ends."""
    image = make_squashfs(tmp_path / "image")
    with image.open("r+b") as file:
        whole = squashfs_ends(file.fileno(), 0, IMAGE_BYTES)
        assert whole == image.read_bytes()[:HEAD] + image.read_bytes()[-TAIL:]
        assert squashfs_ends(file.fileno(), HEAD, IMAGE_BYTES - HEAD) == b""
        os.pwrite(file.fileno(), b"\xff" * 8, 40)
        assert len(squashfs_ends(file.fileno(), 0, IMAGE_BYTES)) == HEAD + TAIL


def test_the_medium_is_found(tmp_path: Path) -> None:
    """ISO, network and disk, each with the devices that must not be touched."""
    root = make_machine(tmp_path, {"proc/self/mountinfo": ISO_MOUNTS, "proc/cmdline": "quiet"})
    found = find_medium(root)
    assert found.devices == ("loop0", "sr0")
    assert (found.folder, found.device) == (root / "run/initramfs/live", root / "dev/sr0")
    stick = ISO_MOUNTS.replace("/dev/sr0", "/dev/sdb1")
    (root / "proc/self/mountinfo").write_text(stick)
    links = {"sys/class/block/sdb1": "-> ../../devices/sdb/sdb1", "sys/devices/sdb/sdb1/partition": "1\n"}
    found = find_medium(make_machine(root, links))
    assert (found.devices, found.device) == (("loop0", "sdb1"), root / "dev/sdb")
    only_root = "31 1 7:0 / /run/initramfs/squashfs ro - squashfs /dev/loop0 ro\n"
    (root / "proc/self/mountinfo").write_text(only_root)
    (root / "proc/cmdline").write_text("root=live:http://192.0.2.1:8080/pxe/rootfs.squashfs rd.live.image")
    found = find_medium(root)
    assert (found.folder, found.url) == (None, "http://192.0.2.1:8080/pxe")
    assert found.root_image == root / "dev/loop0"
    (root / "proc/cmdline").write_text("root=live:PARTUUID=x")
    make_machine(root, {"sys/block/loop0/loop/backing_file": "/dev/sda3\n"})
    found = find_medium(root)
    assert (found.url, found.devices) == ("", ("loop0", "sda3"))
