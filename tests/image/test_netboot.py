"""A folder for network boot gets its address, and is served."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from image.netboot import copy_pxe, serve_folder, set_pxe_url
from nodelib.errors import Code, VirtnodeError
from tests.image.trees import make_tree

SCRIPTS = {
    "boot.ipxe": "#!ipxe\nisset ${base} || set base http://${next-server}\nkernel ${base}/vmlinuz\n",
    "grub.cfg": 'if [ -z "$base" ]; then set base=http://$net_default_server; fi\nlinux /vmlinuz\n',
    "pxelinux.cfg/default": "APPEND root=live:http://boot.example/rootfs.squashfs ip=dhcp\n",
    "rootfs.squashfs": "the root",
}


def test_every_script_loads_from_the_address(tmp_path: Path) -> None:
    """Only the address changes, each script in its own language."""
    folder = make_tree(tmp_path, SCRIPTS)
    changed = set_pxe_url(folder, "http://192.0.2.1:8080/node/")
    assert [str(path.relative_to(folder)) for path in changed] == [
        "boot.ipxe",
        "grub.cfg",
        "pxelinux.cfg/default",
    ]
    assert "set base http://192.0.2.1:8080/node\n" in (folder / "boot.ipxe").read_text()
    assert "set base=http://192.0.2.1:8080/node; fi\n" in (folder / "grub.cfg").read_text()
    assert "root=live:http://192.0.2.1:8080/node/rootfs.squashfs ip=dhcp" in changed[2].read_text()


def test_address_can_be_set_again(tmp_path: Path) -> None:
    """A second call replaces the first one's address."""
    folder = make_tree(tmp_path, SCRIPTS)
    set_pxe_url(folder, "http://192.0.2.1")
    set_pxe_url(folder, "http://198.51.100.7")
    assert "192.0.2.1" not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def test_copy_shares_big_files_and_leaves_the_original(tmp_path: Path) -> None:
    """A root of a hundred megabytes is not copied, and the original's scripts stay as they are."""
    folder = make_tree(tmp_path / "pxe", SCRIPTS)
    copy = tmp_path / "copy"
    copy_pxe(folder, copy, "http://10.0.2.2:8000")
    assert (copy / "rootfs.squashfs").samefile(folder / "rootfs.squashfs")
    assert (folder / "boot.ipxe").read_text() == SCRIPTS["boot.ipxe"]
    assert "10.0.2.2:8000" in (copy / "boot.ipxe").read_text()


def test_folder_without_an_address_is_refused(tmp_path: Path) -> None:
    """A folder that is not for network boot is not changed in silence."""
    with pytest.raises(VirtnodeError, match="no boot script") as caught:
        set_pxe_url(tmp_path, "http://192.0.2.1")
    assert caught.value.code is Code.NOT_FOUND


def test_folder_is_served_while_it_is_needed(tmp_path: Path) -> None:
    """The port is the loopback address's, and closed afterwards."""
    (tmp_path / "boot.ipxe").write_text("#!ipxe\n")
    with serve_folder(tmp_path) as port:
        url = f"http://127.0.0.1:{port}/boot.ipxe"
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.read() == b"#!ipxe\n"
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(url, timeout=10)
