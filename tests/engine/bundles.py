"""Update bundles for tests: of the right form, with nothing bootable in them."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nodelib.codec import to_json
from nodelib.update_bundle import (
    MANIFEST,
    PAYLOAD,
    SIGNATURES,
    BundleFile,
    BundleManifest,
    BundleSignature,
    BundleSignatures,
)

SIGNED = BundleSignatures((BundleSignature("a" * 64, "b" * 128),))
Members = dict[str, bytes]


def make_members(
    version: str = "0.2.0",
    *,
    size: int = 1000,
    signatures: BundleSignatures = SIGNED,
    packages: Mapping[str, str] | None = None,
    **changes: object,
) -> Members:
    """Make what is in a bundle, in its order."""
    payload = {name: f"{name} of {version}".encode().ljust(size, b".") for name in PAYLOAD}
    files = {
        name: BundleFile(len(content), hashlib.sha256(content).hexdigest())
        for name, content in payload.items()
    }
    manifest = BundleManifest(
        "virtnode",
        version,
        f"build-{version}",
        "x86_64",
        "simulated 2",
        1_700_000_000.0 + sum(map(ord, version)),
        (),
        files,
        packages or {"simulated": f"build-{version}", "virtnode": version},
    )
    manifest = replace(manifest, **changes)  # type: ignore[arg-type]
    return {MANIFEST: to_json(manifest).encode(), SIGNATURES: to_json(signatures).encode(), **payload}


def write_members(path: Path, members: Members) -> Path:
    """Write a bundle of these members, whatever they are."""
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_bundle(folder: Path, version: str = "0.2.0", *, size: int = 1000, **changes: object) -> Path:
    """Write a good bundle."""
    return write_members(folder / f"{version}.update", make_members(version, size=size, **changes))  # type: ignore[arg-type]
