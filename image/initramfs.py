"""One generic initramfs by dracut: it finds its root on a CD, a USB stick, a disk or the network."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.chroot import run_in_root
from nodelib.run import run

MODULES = (
    "systemd", "dmsquash-live", "livenet", "systemd-networkd", "dm", "rootfs-block", "kernel-modules",
    "kernel-network-modules",
)  # fmt: skip
OMITTED = (
    "bluetooth", "brltty", "btrfs", "busybox", "cifs", "connman", "crypt", "drm", "fcoe", "fcoe-uefi", "hwdb", "i18n",
    "iscsi", "lunmask", "lvm", "lvmmerge", "lvmthinpool-monitor", "mdraid", "memstrack", "multipath", "network-legacy",
    "network-manager", "nfs", "nvdimm", "nvmf", "pcmcia", "plymouth", "rngd", "systemd-coredump", "systemd-cryptsetup",
    "systemd-hostnamed", "systemd-integritysetup", "systemd-pcrphase", "systemd-portabled", "systemd-pstore",
    "systemd-repart", "systemd-sysext", "systemd-timedated", "systemd-timesyncd", "systemd-veritysetup", "terminfo",
    "virtfs", "virtiofs", "qemu-net",
)  # fmt: skip
OMITTED_DRIVERS = (
    "ext4",
    "xfs",
    "nfs",
    "nfsv4",
    "sunrpc",
    "drm",
    "bridge",
    "raid[0-9]*",
    "nvdimm",
    "nvmet",
    "fuse",
)
"""The root is a squashfs below an overlay: no other file system, no software RAID, no graphics is needed to reach it."""


def dracut_argv(kernel: str, output: str) -> list[str]:
    """Build dracut's command line; `output` is a path inside the root, and the archive is left uncompressed."""
    argv = ["dracut", "--force", "--quiet", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible"]
    argv += ["--no-early-microcode", "--no-compress", "--nostrip"]
    argv += [
        "--add",
        " ".join(MODULES),
        "--omit",
        " ".join(OMITTED),
        "--omit-drivers",
        " ".join(OMITTED_DRIVERS),
    ]
    return [*argv, "--kver", kernel, output]


def make_initramfs(root: Path, kernel: str, destination: Path, compressor: Sequence[str], epoch: int) -> None:
    """Run the root's own dracut and leave the archive, compressed, at `destination`."""
    with tempfile.TemporaryDirectory(prefix="dracut-", dir=destination.parent) as folder:
        out = Path(folder)
        argv = dracut_argv(kernel, "/run/out/initrd")
        run_in_root(root, argv, binds=[(out, "/run/out")], environment=[("SOURCE_DATE_EPOCH", str(epoch))])
        # Either compressor writes the file's name with its own ending beside it.
        run([*compressor, "--keep", out / "initrd"])
        next(out.glob("initrd.*")).rename(destination)
