"""Generic initramfs archives by dracut: one finds the root on CD, stick or disk, one by HTTP as well."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.chroot import run_in_root
from image.layout import lay_tree
from nodelib.run import run

DRACUT_MODULES = Path(__file__).parent / "data/dracut"
LOCAL = ("systemd", "dmsquash-live", "dm", "rootfs-block", "kernel-modules", "virtnode")
NETWORK = (*LOCAL, "livenet", "systemd-networkd", "kernel-network-modules")
OMITTED = (
    "bluetooth", "brltty", "btrfs", "busybox", "cifs", "connman", "crypt", "drm", "fcoe",
    "fcoe-uefi", "hwdb", "i18n", "iscsi", "lunmask", "lvm", "lvmmerge", "lvmthinpool-monitor",
    "mdraid", "memstrack", "multipath", "network-legacy", "network-manager", "nfs", "nvdimm",
    "nvmf", "pcmcia", "plymouth", "rngd", "systemd-coredump", "systemd-cryptsetup",
    "systemd-hostnamed", "systemd-integritysetup", "systemd-pcrphase", "systemd-portabled",
    "systemd-pstore", "systemd-repart", "systemd-sysext", "systemd-timedated", "systemd-timesyncd",
    "systemd-veritysetup", "terminfo", "virtfs", "virtiofs", "qemu-net",
)  # fmt: skip
OMITTED_LOCALLY = ("systemd-networkd", "network", "net-lib", "livenet", "url-lib", "kernel-network-modules")
OMITTED_DRIVERS = (
    "ext4", "xfs", "nfs", "nfsv4", "sunrpc", "drm", "bridge", "raid[0-9]*", "nvdimm", "nvmet", "fuse",
)  # fmt: skip
"""The root is a squashfs below an overlay: no other file system, software RAID or graphics leads to it."""


def dracut_argv(kernel: str, output: str, modules: Sequence[str]) -> list[str]:
    """Build dracut's command line; `output` is inside the root, and the archive is left uncompressed."""
    omitted = OMITTED if "livenet" in modules else (*OMITTED, *OMITTED_LOCALLY)
    argv = ["dracut", "--force", "--quiet", "--no-hostonly", "--no-hostonly-cmdline", "--reproducible"]
    argv += ["--no-early-microcode", "--no-compress", "--nostrip"]
    argv += [
        "--add",
        " ".join(modules),
        "--omit",
        " ".join(omitted),
        "--omit-drivers",
        " ".join(OMITTED_DRIVERS),
    ]
    return [*argv, "--kver", kernel, output]


def make_initramfs(
    root: Path, kernel: str, modules: Sequence[str], destination: Path, compressor: Sequence[str], epoch: int
) -> frozenset[str]:
    """Leave the archive, compressed, at `destination`; return the paths of its kernel modules below kernel/.

    The root's own dracut runs, with our modules added to it.
    """
    lay_tree(DRACUT_MODULES, root / "usr/lib/dracut/modules.d")
    with tempfile.TemporaryDirectory(prefix="dracut-", dir=destination.parent) as folder:
        out = Path(folder)
        argv = dracut_argv(kernel, "/run/out/initrd", modules)
        run_in_root(root, argv, binds=[(out, "/run/out")], environment=[("SOURCE_DATE_EPOCH", str(epoch))])
        drivers = list_drivers(out / "initrd")
        # Either compressor writes the file's name with its own ending beside it.
        run([*compressor, "--keep", out / "initrd"])
        next(out.glob("initrd.*")).rename(destination)
        destination.chmod(0o644)
        return drivers


def list_drivers(archive: Path) -> frozenset[str]:
    """List an uncompressed archive's kernel modules, as paths that begin with kernel/."""
    names = run(["cpio", "--list", "--quiet", "--file", archive]).stdout.splitlines()
    found = (re.fullmatch(r"usr/lib/modules/[^/]+/(kernel/.+\.ko(\.\w+)?)", name) for name in names)
    return frozenset(match[1] for match in found if match)
