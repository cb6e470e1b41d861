"""A KVM guest for the node to run: the node's own kernel, and a busybox that says a word and powers off."""

import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

DISK_SERIAL = "virtnode-verify"
"""How inquiry.sh finds the disk: /dev/disk/by-id/virtio-virtnode-verify."""

IMAGES = "/var/lib/libvirt/images"

KERNEL = "/boot/vmlinuz"
"""Where an ISO keeps the node's kernel."""

DOMAIN = f"""\
<domain type='kvm'>
  <name>virtnode-verify</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{IMAGES}/kernel</kernel>
    <initrd>{IMAGES}/initramfs</initrd>
    <cmdline>console=ttyS0 quiet panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='host-passthrough' check='none'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <serial type='file'><source path='{IMAGES}/virtnode-verify.log'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""

INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox echo "{word}" >/dev/ttyS0
/bin/busybox poweroff -f
"""


@dataclass(frozen=True)
class CpioEntry:
    """A file or, without data, a directory of an initramfs."""

    name: str
    data: bytes | None = None


def make_guest_disk(iso: Path, folder: Path, *, word: str) -> Path:
    """Make a disk with a guest that says `word`, its kernel taken from the node's ISO.

    Raises VirtnodeError (unavailable) when the host has no static busybox or no xorriso.
    """
    content = folder / "guest"
    content.mkdir()
    run(["xorriso", "-osirrox", "on", "-indev", iso, "-extract", KERNEL, content / "kernel"])
    (content / "initramfs").write_bytes(make_initramfs(find_busybox(), word))
    (content / "domain.xml").write_text(DOMAIN)
    disk = folder / "guest.iso"
    run(["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", "VERIFY", "-o", disk, content])
    return disk


def find_busybox() -> Path:
    """Find the host's static busybox, the guest's only program."""
    found = shutil.which("busybox")
    if not found:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            "busybox is not installed, and the guest that proves KVM consists of it",
            "install the package busybox-static (Debian) or busybox (Fedora)",
        )
    return Path(found).resolve()


def make_initramfs(busybox: Path, word: str) -> bytes:
    """Return an initramfs whose init says `word` on the first serial port and powers off."""
    return make_cpio(
        (
            CpioEntry("bin"),
            CpioEntry("dev"),
            CpioEntry("bin/busybox", busybox.read_bytes()),
            CpioEntry("init", INIT.format(word=word).encode()),
        )
    )


def make_cpio(entries: Iterable[CpioEntry]) -> bytes:
    """Return a cpio archive in the form that Linux unpacks; every file is executable and root's."""
    members = [_cpio_member(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join(members) + _cpio_header(0, 0, "TRAILER!!!", 0)


def _cpio_member(number: int, entry: CpioEntry) -> bytes:
    mode = 0o755 | (stat.S_IFDIR if entry.data is None else stat.S_IFREG)
    data = entry.data or b""
    return _cpio_header(number, mode, entry.name, len(data)) + data + b"\0" * (-len(data) % 4)


def _cpio_header(number: int, mode: int, name: str, size: int) -> bytes:
    """Return a member's header, its name included."""
    # The form: https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
    links, name_size = 1, len(name.encode()) + 1
    fields = (number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return header + b"\0" * (-len(header) % 4)
