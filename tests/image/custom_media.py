"""Media that the real makers made of small payloads, to be customised."""

import dataclasses
from pathlib import Path

from image.config import Partition
from image.media.disk import make_disk
from image.media.iso import make_iso
from image.media.pxe import make_pxe
from tests.image.payloads import make_payload, need_grub
from tests.image.small_media import make_root

SMALL = (Partition("/", 8), Partition("/boot/efi", 8), Partition("/var/lib/virtnode", 8))


def make_media(folder: Path, *names: str) -> Path:
    """Make some of iso, pxe and disk into `folder`/out, with a squashfs that can be looked into."""
    need_grub()
    payload = make_payload(folder / "payload", partitions=SMALL)
    payload = dataclasses.replace(payload, rootfs=make_root(folder / "payload"))
    out, work = folder / "out", folder / "work"
    for made in (out, work):
        made.mkdir(parents=True)
    makers = {"iso": make_iso, "pxe": make_pxe, "disk": make_disk}
    for name in names:
        makers[name](payload, work, out)
    return out
