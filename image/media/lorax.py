"""ISO and PXE folder made by livemedia-creator, where lorax is installed, of the same finished root."""

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.lorax import LoraxJob, customised_iso_argv, live_files_argv, live_iso_argv
from image.media import Payload
from image.media.grub import LIVE, SCREEN
from image.media.pxe import make_pxe
from nodelib.run import run

KERNEL = "virtnode.x86_64"
"""The kernel's version as lorax shall see it: it knows only names like those of Fedora's kernels."""
KICKSTART = """\
part / --size=1
%packages
dracut-live
%end
"""
"""What lorax insists on, although nothing is installed."""
NO_DRACUT = """\
#!/bin/sh
# The initramfs was made before the root was trimmed, and lies in /boot where lorax looks for it.
exit 0
"""
DRACUT = "usr/bin/dracut"
FONT = Path("usr/share/grub/unicode.pf2")
GRUB = "usr/lib/grub/i386-pc"
LEFT_OUT = ("boot/*", DRACUT, "usr/lib/grub", "usr/share/grub")
"""What the image has for lorax alone."""
UNWANTED = ("rd.live.check", "quiet", "rhgb")
"""Kernel arguments of lorax's menu: its first choice checks the medium, and halts where no program can."""
EXT4_SLACK = 1.2
"""What ext4 itself takes, as a factor on the content."""
FILE_OVERHEAD = 4096
"""Bytes by which a file is larger on ext4 than its content, at most, its inode apart."""


def make_iso_with_lorax(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write NAME.iso into `output` and return its path; its menu is lorax's."""
    iso = f"{payload.name}.iso"
    with _prepare_job(payload, payload.initramfs, workspace) as job:
        run(live_iso_argv(job, iso_name=iso, volume_id=payload.label))
        made = job.result_directory / iso
        run(customised_iso_argv(made, output / iso, remove_arguments=UNWANTED, rebuild_efi=True))
    return [output / iso]


def make_pxe_with_lorax(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write the folder pxe/ into `output` with lorax's kernel, initramfs and root, and return its files."""
    with _prepare_job(payload, payload.network_initramfs, workspace) as job:
        run(live_files_argv(job, volume_id=payload.label))
        made = job.result_directory
        files = dataclasses.replace(
            payload,
            kernel=made / "images/pxeboot/vmlinuz",
            network_initramfs=made / "images/pxeboot/initrd.img",
            rootfs=made / "LiveOS/squashfs.img",
        )
        return make_pxe(files, workspace, output)


@contextlib.contextmanager
def _prepare_job(payload: Payload, initramfs: Path, workspace: Path) -> Iterator[LoraxJob]:
    """Make what livemedia-creator starts from, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lorax-", dir=workspace) as name:
        folder = Path(name)
        kickstart, image = folder / "lorax.ks", folder / "root.img"
        kickstart.write_text(KICKSTART)
        make_filesystem_image(payload, initramfs, folder / "root", image)
        (folder / "tmp").mkdir()
        product, _, release = payload.title.partition(" ")
        yield LoraxJob(
            filesystem_image=image,
            kickstart=kickstart,
            result_directory=folder / "result",
            workspace=folder / "tmp",
            product=product,
            release=release,
            kernel_arguments=(*LIVE, *payload.kernel_arguments, *SCREEN),
            left_out=LEFT_OUT,
        )


def make_filesystem_image(payload: Payload, initramfs: Path, tree: Path, image: Path) -> None:
    """Make an ext4 image, without mounting it, of the root and of what lorax takes from inside a root."""
    # Links are enough: nothing that is there is written to.
    run(["cp", "--archive", "--link", payload.root, tree])
    for source, target in files_for_lorax(payload, initramfs):
        path = tree / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        shutil.copyfile(source, path)
    shutil.copytree(payload.boot.grub_bios, tree / GRUB, dirs_exist_ok=True)
    (tree / DRACUT).unlink(missing_ok=True)
    (tree / DRACUT).write_text(NO_DRACUT)
    (tree / DRACUT).chmod(0o755)
    run(mke2fs_argv(tree, image, image_size(tree)))
    shutil.rmtree(tree)


def files_for_lorax(payload: Payload, initramfs: Path) -> Sequence[tuple[Path, str]]:
    """List what lorax takes from inside a root, and where it looks for it."""
    efi = f"boot/efi/EFI/{payload.boot.vendor}"
    return (
        (payload.kernel, f"boot/vmlinuz-{KERNEL}"),
        (initramfs, f"boot/initrd-{KERNEL}.img"),
        (payload.boot.shim, f"{efi}/shimx64.efi"),
        (payload.boot.mok_manager, f"{efi}/mmx64.efi"),
        (payload.boot.grub_removable, f"{efi}/gcdx64.efi"),
        # The menu's font comes with the host's own GRUB, which lorax needs as well.
        (Path("/") / FONT, str(FONT)),
    )


def image_size(tree: Path) -> int:
    """Say how many bytes an ext4 image of a tree needs."""
    sizes = [path.lstat().st_size + FILE_OVERHEAD for path in tree.rglob("*")]
    return int(sum(sizes) * EXT4_SLACK) + 64 * 1024 * 1024


def mke2fs_argv(tree: Path, image: Path, size: int) -> list[str | Path]:
    """Build the command that makes and fills the image; extended attributes come along."""
    argv: list[str | Path] = ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0"]
    return [*argv, "-d", tree, image, f"{size // 1024}k"]
