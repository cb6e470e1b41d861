"""ISO and PXE folder by lorax: what it is given, and what becomes of what it makes."""

import os
import shutil
from pathlib import Path

import pytest

from image.media import Payload
from image.media.lorax import make_filesystem_image, make_iso_with_lorax, make_pxe_with_lorax, mke2fs_argv
from nodelib.errors import VirtnodeError
from nodelib.run import run
from tests.image.payloads import make_payload, need_grub
from tests.image.trees import make_tree

CREATOR = """\
#!/bin/sh
# Stands in for livemedia-creator: writes down its arguments, and finds kernel and initramfs as that does.
set -e
for word; do
    echo "$word" >> "$LORAX_LOG"
    case $word in
        --fs-image=*) image=${word#*=} ;;
        --resultdir=*) result=${word#*=} ;;
        --iso-name=*) iso=${word#*=} ;;
        --ks=*) grep -q dracut-live "${word#*=}" && grep -q "^part / --size=[1-9]" "${word#*=}" ;;
        --tmp=*) test -d "${word#*=}" ;;
    esac
done
test ! -e "$result"
if [ "$iso" ]; then
    mkdir "$result"
    echo an ISO > "$result/$iso"
    exit
fi
mkdir -p "$result/images/pxeboot" "$result/LiveOS"
debugfs -R "dump boot/vmlinuz-virtnode.x86_64 $result/images/pxeboot/vmlinuz" "$image"
debugfs -R "dump boot/initrd-virtnode.x86_64.img $result/images/pxeboot/initrd.img" "$image"
echo a root > "$result/LiveOS/squashfs.img"
"""
MKKSISO = """\
#!/bin/sh
# Stands in for mkksiso: the copy says what was to be taken out.
{ cat "$2"; echo "$1"; } > "$3"
"""


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    """Make a payload with a finished root."""
    need_grub()
    make_tree(
        tmp_path / "payload/root", {"etc/hostname": "node", "usr/bin/dracut": "#!/bin/node", "boot/": ""}
    )
    return make_payload(tmp_path / "payload")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Make a folder for artefacts, which is the workspace as well."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the stand-in before everything on PATH, and say where it writes its arguments."""
    make_tree(tmp_path / "bin", {"livemedia-creator": CREATOR, "mkksiso": MKKSISO})
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("LORAX_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def read_from_image(image: Path, path: str) -> str:
    """Read a text file of an ext4 image."""
    return run(["debugfs", "-R", f"cat {path}", image]).stdout


def test_the_iso_is_loraxs(payload: Payload, out: Path, log: Path) -> None:
    """It gets our label, name and kernel arguments, and no check of the medium; nothing is left beside it."""
    assert make_iso_with_lorax(payload, out, out) == [out / f"{payload.name}.iso"]
    assert (out / f"{payload.name}.iso").read_text() == "an ISO\n--rm-args=rd.live.check quiet rhgb\n"
    assert [path.name for path in out.iterdir()] == [f"{payload.name}.iso"]
    words = log.read_text().splitlines()
    assert {"--make-iso", "--iso-only", f"--volid={payload.label}", "--project=virtnode"} <= set(words)
    arguments = next(word for word in words if word.startswith("--extra-boot-args="))
    assert "rd.live.overlay.overlayfs=1 quiet console=ttyS0,115200n8 console=tty0" in arguments


def test_the_pxe_folder_has_loraxs_files_and_our_menus(payload: Payload, out: Path, log: Path) -> None:
    """The initramfs is the one that can fetch its root; the menus name what is there."""
    make_pxe_with_lorax(payload, out, out)
    assert "--iso-only" not in log.read_text().splitlines()
    assert (out / "pxe/vmlinuz").read_bytes() == payload.kernel.read_bytes()
    assert (out / "pxe/initrd.img").read_bytes() == payload.network_initramfs.read_bytes()
    assert (out / "pxe/rootfs.squashfs").read_text() == "a root\n"
    assert "rootfs.squashfs" in (out / "pxe/boot.ipxe").read_text()
    assert [path.name for path in out.iterdir()] == ["pxe"]


def test_lorax_fails_the_build(payload: Payload, out: Path, log: Path) -> None:
    """A failure is told with the command to repeat, and nothing is published."""
    make_tree(log.parent / "bin", {"livemedia-creator": "#!/bin/sh\necho no loop device >&2\nexit 1\n"})
    with pytest.raises(VirtnodeError, match="livemedia-creator ended with status 1: no loop device"):
        make_iso_with_lorax(payload, out, out)
    assert list(out.iterdir()) == []


@pytest.mark.skipif(shutil.which("debugfs") is None, reason="e2fsprogs is not installed here")
def test_the_image_has_the_root_and_what_lorax_looks_for(payload: Payload, tmp_path: Path) -> None:
    """Kernel, initramfs, loaders and a dracut that makes nothing are in the image, and not in the root."""
    os.setxattr(payload.root / "etc/hostname", "user.label", b"kept")
    image = tmp_path / "root.img"
    make_filesystem_image(payload, payload.initramfs, tmp_path / "tree", image)
    assert read_from_image(image, "etc/hostname") == "node"
    assert read_from_image(image, "boot/vmlinuz-virtnode.x86_64") == payload.kernel.read_text()
    assert read_from_image(image, "boot/initrd-virtnode.x86_64.img") == payload.initramfs.read_text()
    assert read_from_image(image, "boot/efi/EFI/debian/gcdx64.efi").startswith("grub-removable")
    assert read_from_image(image, "usr/bin/dracut").endswith("exit 0\n")
    assert "kept" in run(["debugfs", "-R", "ea_get etc/hostname user.label", image]).stdout
    assert run(["e2fsck", "-f", "-n", image]).status == 0
    assert (payload.root / "usr/bin/dracut").read_text() == "#!/bin/node"
    assert list((payload.root / "boot").iterdir()) == []
    assert not (tmp_path / "tree").exists()


def test_the_image_is_made_without_mounting() -> None:
    """mke2fs fills it; a journal would serve nobody."""
    argv = mke2fs_argv(Path("/tree"), Path("/image"), 10 * 1024 * 1024)
    assert argv[:6] == ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal"]
    assert argv[-4:] == ["-d", Path("/tree"), Path("/image"), "10240k"]
