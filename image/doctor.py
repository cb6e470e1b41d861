"""What this host lacks to build and to test, and which packages bring it."""

import importlib.util
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Which = Callable[[str], str | None]


@dataclass(frozen=True)
class Tool:
    """A program, and the package that has it on each host family.

    A name that begins with `/` is a file, in which `*` may stand for a part of its path, and `import NAME` a
    module of this Python. ` or ` stands between names of which one is enough.
    """

    name: str
    purpose: str
    debian: str
    fedora: str


TOOLS = (
    Tool("bwrap", "runs programs inside the root", "bubblewrap", "bubblewrap"),
    Tool("mksquashfs", "compresses the root", "squashfs-tools", "squashfs-tools"),
    Tool("xorriso", "makes the ISO", "xorriso", "xorriso"),
    Tool("mkfs.vfat", "makes EFI system partitions", "dosfstools", "dosfstools"),
    Tool("mcopy", "fills EFI system partitions", "mtools", "mtools"),
    Tool("grub-mkimage", "makes BIOS boot images", "grub-common", "grub2-tools"),
    Tool("sfdisk", "partitions disk images", "fdisk", "util-linux"),
    Tool("mke2fs", "makes the state partition", "e2fsprogs", "e2fsprogs"),
    Tool("qemu-img", "writes qcow2 images", "qemu-utils", "qemu-img"),
    Tool("zstd", "compresses disk images", "zstd", "zstd"),
    Tool("xz", "compresses the initramfs", "xz-utils", "xz"),
    Tool("modinfo", "reads which firmware drivers want", "kmod", "kmod"),
    Tool("cpio", "reads the initramfs and unpacks boot loaders", "cpio", "cpio"),
    Tool("git", "dates a build by its commit", "git", "git-core"),
)
DEBIAN_TOOLS = (
    Tool("mmdebstrap", "installs Debian's packages", "mmdebstrap", "mmdebstrap"),
    Tool("mount", "lends the installer the kept packages", "mount", "util-linux"),
    Tool("unshare", "keeps the installer's mounts apart", "util-linux", "util-linux-core"),
    Tool("apt-get", "downloads Debian's packages", "apt", "apt"),
    Tool("dpkg-query", "reads Debian's package database", "dpkg", "dpkg"),
    Tool(
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "checks Debian's signatures",
        "debian-archive-keyring",
        "debian-keyring",
    ),
)
FEDORA_TOOLS = (
    Tool("dnf", "installs Fedora's packages", "dnf", "dnf"),
    Tool("rpm", "reads the RPM database", "rpm", "rpm"),
    Tool("rpm2cpio", "unpacks boot loaders", "rpm2cpio", "rpm"),
)
TEST_TOOLS = (
    Tool("qemu-system-x86_64", "boots every medium", "qemu-system-x86", "qemu-system-x86-core"),
    Tool("busybox", "is the guest inside the node", "busybox-static", "busybox"),
    Tool("setfiles", "labels a root as SELinux wants it", "policycoreutils", "policycoreutils"),
    Tool("/usr/share/OVMF", "is the firmware of UEFI machines", "ovmf", "edk2-ovmf"),
    Tool("setpriv", "runs commands without root", "util-linux", "util-linux"),
    Tool("createrepo_c", "makes repositories to test dnf with", "createrepo-c", "createrepo_c"),
    Tool("rpmbuild", "makes packages to test dnf with", "rpm", "rpm-build"),
    Tool("rpmsign", "signs packages to test dnf with", "rpm", "rpm-sign"),
    Tool("gpg", "makes keys to test signatures with", "gnupg", "gnupg2"),
    Tool("/usr/lib/grub/i386-pc", "makes boot images to test with", "grub-pc-bin", "grub2-pc-modules"),
    Tool("grub-emu", "runs the boot menus of installed disks", "grub-emu", "grub2-emu"),
    Tool("lz4", "compresses archives to read", "lz4", "lz4"),
    Tool("ip", "names this machine's addresses", "iproute2", "iproute"),
    Tool("ssh-keygen", "makes keys to show the fingerprints of", "openssh-client", "openssh"),
    Tool("dbus-daemon", "carries the agent's calls", "dbus-daemon", "dbus-daemon"),
    Tool("dbus-monitor", "listens to the agent's signals", "dbus-bin", "dbus-tools"),
    Tool("dnsmasq", "answers a node that asks for an address", "dnsmasq-base", "dnsmasq"),
    Tool("openssl", "makes keys and certificates to test with", "openssl", "openssl"),
    Tool("nft", "checks the agent's packet filter", "nftables", "nftables"),
    Tool("vgcreate", "makes volume groups of disks that were full", "lvm2", "lvm2"),
    Tool("tgtd", "serves disks by iSCSI", "tgt", "scsi-target-utils"),
    Tool("ganesha.nfsd", "serves a folder by NFS", "nfs-ganesha", "nfs-ganesha"),
    # psql may be there without the server.
    Tool(
        "/usr/lib/postgresql/*/bin/initdb or initdb",
        "keeps an engine's data",
        "postgresql",
        "postgresql-server",
    ),
    Tool("gcc", "compiles the oVirt SDK", "gcc", "gcc"),
    Tool("xml2-config", "links the oVirt SDK", "libxml2-dev", "libxml2-devel"),
    Tool("python3-config", "links the oVirt SDK", "python3-dev", "python3-devel"),
    Tool("import dbus", "speaks to the agent", "python3-dbus", "python3-dbus"),
    Tool("import augeas", "edits files that are not ours", "python3-augeas", "python3-augeas"),
    Tool("import libvirt", "speaks to libvirt", "python3-libvirt", "python3-libvirt"),
)
GROUPS: Mapping[str, tuple[Tool, ...]] = {
    "any": TOOLS,
    "debian": DEBIAN_TOOLS,
    "fedora": FEDORA_TOOLS,
    "test": TEST_TOOLS,
}


def find_missing(group: str, which: Which = shutil.which) -> tuple[Tool, ...]:
    """List the tools of a group that this host lacks."""
    return tuple(
        tool for tool in GROUPS[group] if not any(_is_there(name, which) for name in tool.name.split(" or "))
    )


def _is_there(name: str, which: Which) -> bool:
    if name.startswith("import "):
        return importlib.util.find_spec(name.removeprefix("import ")) is not None
    if name.startswith("/"):
        return next(Path("/").glob(name.removeprefix("/")), None) is not None
    return which(name) is not None


def packages_of(tools: tuple[Tool, ...], family: str) -> list[str]:
    """Name the packages that bring these tools on a host family, `debian` or `fedora`."""
    return sorted({tool.fedora if family == "fedora" else tool.debian for tool in tools})
