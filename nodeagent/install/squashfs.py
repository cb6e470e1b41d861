"""What a squashfs tells of itself: its length, and what tells it from another without reading it all."""

import os
import struct
from pathlib import Path

from nodelib.errors import Code, VirtnodeError

MAGIC = b"hsqs"
BLOCK = 4096
HEAD, TAIL = 96, 64 * 1024
"""Bytes of a squashfs that tell it from every other: its superblock, and the tables at its end."""


def used_bytes(head: bytes) -> int:
    """Read from its superblock how long a squashfs is, in whole blocks; 0 for what is none."""
    if not head.startswith(MAGIC) or len(head) < HEAD:
        return 0
    return -(-int(struct.unpack_from("<Q", head, 40)[0]) // BLOCK) * BLOCK


def squashfs_size(image: Path) -> int:
    """Return the bytes of a squashfs, filled to whole blocks; raises VirtnodeError (failed) if it is none."""
    with image.open("rb", buffering=0) as file:
        size = used_bytes(file.read(HEAD))
    if not size:
        raise VirtnodeError(Code.FAILED, f"{image} holds no squashfs", "start the installation medium again")
    return size


def squashfs_ends(descriptor: int, start: int, room: int) -> bytes:
    """Read beginning and end of a squashfs at a place that has `room` bytes; nothing where there is none."""
    head = os.pread(descriptor, HEAD, start)
    used = min(used_bytes(head), room)
    tail = min(TAIL, used)
    return head + os.pread(descriptor, tail, start + used - tail) if used else b""
