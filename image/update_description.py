"""What inspect says of an update bundle: whether it is whole, and who signed it."""

from dataclasses import dataclass
from pathlib import Path

from image.bundle import Bundle, damaged_files, read_bundle
from image.config import PublicKey
from image.signing import is_signed, read_public_keys
from nodelib.update_bundle import BundleManifest, BundleSignature

SHOWN_DIGITS = 16


@dataclass(frozen=True)
class Signer:
    """A key that signed, and what it is called among the keys that were given; wrong ones are not `valid`."""

    key: str
    name: str = ""
    valid: bool | None = None
    """None: no key that was given is this one."""


@dataclass(frozen=True)
class UpdateDescription:
    """What a bundle says of itself, and whether that is true."""

    manifest: BundleManifest
    damaged: tuple[str, ...]
    """Files that are not what the manifest says."""
    signers: tuple[Signer, ...]
    has_keys: bool
    """Keys were given to compare with."""

    @property
    def is_sound(self) -> bool:
        """Tell whether it is whole, and, where keys were given, signed by one of them."""
        return not self.damaged and (not self.has_keys or any(signer.valid for signer in self.signers))


def describe_update(path: Path, keys: Path | None) -> UpdateDescription:
    """Read and verify a bundle; `keys` is a folder of public keys."""
    bundle = read_bundle(path)
    known = read_public_keys(keys) if keys else ()
    signers = tuple(_describe_signer(bundle, signature, known) for signature in bundle.signatures)
    return UpdateDescription(bundle.manifest, damaged_files(path, bundle), signers, keys is not None)


def update_lines(update: UpdateDescription | None) -> list[str]:
    """Say it to a person."""
    if update is None:
        return []
    manifest = update.manifest
    lines = [
        f"update for {manifest.product} on {manifest.architecture}: {manifest.system}, "
        f"{len(manifest.packages)} packages, node.toml up to version {manifest.intent_version}",
        f"kernel arguments: {' '.join(manifest.arguments) or 'none'}",
        f"DAMAGED: {', '.join(update.damaged)}" if update.damaged else "whole: its files are as it says",
    ]
    if not update.signers:
        return [*lines, "not signed: nodes refuse it"]
    return [*lines, *(f"signed by {_signer_words(signer, update.has_keys)}" for signer in update.signers)]


def _describe_signer(bundle: Bundle, signature: BundleSignature, known: tuple[PublicKey, ...]) -> Signer:
    for key in known:
        if key.identifier == signature.key:
            return Signer(signature.key, key.name, is_signed(key, bundle.signed, signature))
    return Signer(signature.key)


def _signer_words(signer: Signer, has_keys: bool) -> str:
    digits = signer.key[:SHOWN_DIGITS]
    if signer.valid is None:
        return f"the key {digits}, {'which is not among those given' if has_keys else 'not verified'}"
    return f"{signer.name} ({digits})" + ("" if signer.valid else ": WRONG")
