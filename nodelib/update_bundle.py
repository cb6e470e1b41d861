"""The update bundle: one file that brings a node another image, by hand or from the engine.

It is a tar archive, so that standard tools can look into it, and is read from front to back:

    manifest.json      what it is, and the size and SHA-256 of each file that follows
    signatures.json    signatures of manifest.json, one for each key that vouches for it
    vmlinuz initrd.img root.squashfs

A signature is Ed25519 over the very bytes of manifest.json, after the line SIGNED_PREFIX, so that it counts
for nothing else. A key is named by the SHA-256 of its public half as DER (SubjectPublicKeyInfo), in
hexadecimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA = 1
SUFFIX = ".update"
MANIFEST, SIGNATURES = "manifest.json", "signatures.json"
KERNEL, INITRAMFS, ROOT_IMAGE = "vmlinuz", "initrd.img", "root.squashfs"
PAYLOAD = (KERNEL, INITRAMFS, ROOT_IMAGE)
"""The files after the signatures, in this order."""
SIGNED_PREFIX = b"virtnode update 1\n"
LARGEST_MANIFEST = 4 << 20
"""Bytes of manifest.json or signatures.json at most."""

TRUSTED_KEYS = "usr/lib/virtnode/update-keys"
"""In the root: public keys, *.pem. An image without any takes no update. A key is changed in two updates: one
that is signed by the old key and brings the new one as well, and one that is signed by the new key alone."""
PACKAGE_LIST = "usr/lib/virtnode/packages"
"""In the root: what it was made of, a line each: a package's name, a space, its version; sorted."""


@dataclass(frozen=True)
class BundleFile:
    """One file of the payload."""

    size: int
    sha256: str


@dataclass(frozen=True)
class BundleManifest:
    """What a bundle is."""

    product: str
    """virtnode, or what the kickstart calls the image: a node takes only what is called as it is itself."""
    version: str
    build_id: str
    """The image's BUILD_ID: what tells two builds of a version apart."""
    architecture: str
    """As the kernel says it: x86_64."""
    system: str
    """A person's words: Debian GNU/Linux 13."""
    made: float
    """Seconds since 1970: of the newest package or source, so that the same build has the same time."""
    arguments: tuple[str, ...]
    """Of the kernel, as the kickstart says them; what a medium adds for itself is not among them."""
    files: Mapping[str, BundleFile]
    """By name, each of PAYLOAD."""
    packages: Mapping[str, str]
    """Versions by name."""
    intent_version: int = 1
    """The newest version of node.toml that its agent reads."""
    schema: int = SCHEMA


@dataclass(frozen=True)
class BundleSignature:
    """One key's word for a manifest."""

    key: str
    signature: str
    """In hexadecimal."""


@dataclass(frozen=True)
class BundleSignatures:
    """Who vouches for a manifest: one key that the node trusts is enough."""

    signatures: tuple[BundleSignature, ...] = ()
