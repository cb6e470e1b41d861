"""One generic initramfs by dracut: it finds its root on a CD, a USB stick, a disk or the network."""

from collections.abc import Sequence
from pathlib import Path

from image.chroot import run_in_root

MODULES = ("systemd", "dmsquash-live", "livenet", "systemd-networkd", "dm", "rootfs-block", "kernel-modules", "kernel-network-modules")
OMITTED = (
    "bluetooth", "brltty", "btrfs", "busybox", "cifs", "connman", "crypt", "drm", "fcoe", "fcoe-uefi", "hwdb", "i18n",
    "iscsi", "lunmask", "lvm", "lvmmerge", "lvmthinpool-monitor", "mdraid", "memstrack", "multipath", "network-legacy",
    "network-manager", "nfs", "nvdimm", "nvmf", "pcmcia", "plymouth", "rngd", "systemd-coredump", "systemd-cryptsetup",
    "systemd-hostnamed", "systemd-integritysetup", "systemd-pcrphase", "systemd-portabled", "systemd-pstore",
    "systemd-repart", "systemd-sysext", "systemd-timedated", "systemd-timesyncd", "systemd-veritysetup", "terminfo",
    "virtfs", "virtiofs", "qemu-net",
)  # fmt: skip
CONFIGURATION = "etc/dracut.conf.d/90-virtnode.conf"


def dracut_argv(kernel: str, output: str, compressor: str) -> list[str]:
    """Build dracut's command line; `output` is a path inside the root."""
    argv = ["dracut", "--force", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible", "--no-early-microcode"]
    argv += ["--add", " ".join(MODULES), "--omit", " ".join(OMITTED), "--compress", compressor, "--nostrip"]
    return [*argv, "--kver", kernel, output]


def make_initramfs(root: Path, kernel: str, destination: Path, compressor: str, epoch: int) -> None:
    """Run the root's own dracut and leave the archive at `destination`, outside the root."""
    argv: Sequence[str] = dracut_argv(kernel, "/run/out/initrd.img", compressor)
    destination.parent.mkdir(parents=True, exist_ok=True)
    out = destination.parent / "dracut"
    out.mkdir()
    run_in_root(root, argv, binds=[(out, "/run/out")], environment=[("SOURCE_DATE_EPOCH", str(epoch))])
    (out / "initrd.img").rename(destination)
    out.rmdir()
