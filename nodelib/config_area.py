"""The config area: a file of fixed size on every medium, written into a finished image and read by the node.

Layout, numbers little-endian: 16 bytes MAGIC; version, area size, payload length, signature length (32 bits
each); SHA-256 of the payload; zeros up to HEADER_SIZE; the payload, a `node.toml` in UTF-8; its signature by
Ed25519, or none; zeros.
"""

import hashlib
import struct
from dataclasses import dataclass

from nodelib.errors import Code, VirtnodeError

MAGIC = b"VIRTNODE-CONFIG\n"
VERSION = 1
AREA_SIZE = 64 * 1024
HEADER_SIZE = 512
SIGNATURE_SIZE = 64
ROOM = AREA_SIZE - HEADER_SIZE - SIGNATURE_SIZE
"""Bytes of the longest payload."""
AREA_FILE = "virtnode/config.img"
"""Where it lies on an ISO, in the EFI system partition of a disk, and in the archive beside a PXE folder."""

TRUSTED_KEYS = "usr/lib/virtnode/trusted"
"""Where an image has public keys, `*.pem`; with any, a node leaves out what none of them signed."""

CONFIG_OPTION = 224
"""The DHCP option that may name a document instead: the first that is free. Nodes ask for it."""

_HEADER = struct.Struct("<16sIIII32s")


@dataclass(frozen=True)
class ConfigArea:
    """What an area holds; both are empty in an image that nobody customised."""

    payload: bytes = b""
    signature: bytes = b""

    @property
    def is_blank(self) -> bool:
        """Tell whether nothing was written into it."""
        return not self.payload


def pack_area(area: ConfigArea) -> bytes:
    """Write an area as its AREA_SIZE bytes; raises VirtnodeError (invalid) when there is no room."""
    if len(area.payload) > ROOM:
        raise VirtnodeError(
            Code.INVALID,
            f"the configuration has {len(area.payload)} bytes, and the config area has room for {ROOM}",
            "leave keys out, or let the node fetch the rest: --karg node.config=URL",
        )
    digest = hashlib.sha256(area.payload).digest()
    lengths = (len(area.payload), len(area.signature))
    header = _HEADER.pack(MAGIC, VERSION, AREA_SIZE, *lengths, digest).ljust(HEADER_SIZE, b"\0")
    return (header + area.payload + area.signature).ljust(AREA_SIZE, b"\0")


def parse_area(data: bytes) -> ConfigArea:
    """Read an area; raises VirtnodeError (invalid) for one that is none, is newer, or is damaged."""
    if len(data) < HEADER_SIZE or not data.startswith(MAGIC):
        raise _damaged("it does not begin as a config area does")
    _, version, size, length, signature_length, digest = _HEADER.unpack_from(data)
    if version != VERSION:
        raise _damaged(f"its version is {version}, and {VERSION} is known")
    end = HEADER_SIZE + length
    if size != AREA_SIZE or len(data) < AREA_SIZE or end + signature_length > size:
        raise _damaged("it is cut off")
    payload = data[HEADER_SIZE:end]
    if hashlib.sha256(payload).digest() != digest:
        raise _damaged("its checksum is wrong")
    if signature_length not in (0, SIGNATURE_SIZE):
        raise _damaged(f"its signature has {signature_length} bytes")
    return ConfigArea(payload, data[end : end + signature_length])


def _damaged(reason: str) -> VirtnodeError:
    return VirtnodeError(
        Code.INVALID, f"the config area cannot be used: {reason}", "customise the original image again"
    )
