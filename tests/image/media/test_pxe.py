"""The PXE folder: golden menus of three loaders, and what lies beside them."""

from pathlib import Path

import pytest

from image.media.pxe import grub_config, ipxe_script, make_pxe, pxelinux_config
from tests.conftest import Golden
from tests.image.payloads import make_payload

URLS = {"derived": "", "given": "https://boot.example.invalid/node"}


@pytest.mark.parametrize("name", URLS)
def test_menus_are_as_reviewed(name: str, golden: Golden, tmp_path: Path) -> None:
    """Each loader's menu, with the address given and without."""
    payload = make_payload(tmp_path, pxe_url=URLS[name])
    golden(f"media/{name}/boot.ipxe", ipxe_script(payload))
    golden(f"media/{name}/grub.cfg", grub_config(payload))
    golden(f"media/{name}/pxelinux.cfg", pxelinux_config(payload))


def test_the_folder_has_what_the_menus_name(tmp_path: Path) -> None:
    """Signed loaders under the names that firmware and shim ask for, the kernel, and the root."""
    payload = make_payload(tmp_path / "payload")
    out = tmp_path / "out"
    out.mkdir()
    files = make_pxe(payload, tmp_path, out)
    names = {str(path.relative_to(out / "pxe")) for path in files}
    assert names == {
        "boot.ipxe",
        "config.img",
        "grub.cfg",
        "grub/grub.cfg",
        "grubx64.efi",
        "initrd.img",
        "install/grubx64.efi",
        "pxelinux.cfg/default",
        "rootfs.squashfs",
        "shimx64.efi",
        "vmlinuz",
    }
    for name, source in (
        ("shimx64.efi", payload.boot.shim),
        ("grubx64.efi", payload.boot.grub_network),
        ("initrd.img", payload.network_initramfs),
        ("rootfs.squashfs", payload.rootfs),
    ):
        assert (out / "pxe" / name).read_bytes() == source.read_bytes()


def test_what_is_published_shares_nothing_with_the_cache(tmp_path: Path) -> None:
    """Whoever changes a published kernel in place does not change the next build's."""
    payload = make_payload(tmp_path / "payload")
    (tmp_path / "out").mkdir()
    make_pxe(payload, tmp_path, tmp_path / "out")
    assert payload.kernel.stat().st_nlink == 1
    assert payload.network_initramfs.stat().st_nlink == 1
