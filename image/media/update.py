"""The update bundle: kernel, initramfs and root for the idle slot of a node that runs already."""

from pathlib import Path

from image.bundle import write_bundle
from image.media import Payload
from image.signing import load_private_key
from image.sums import digest_of
from nodelib.update_bundle import (
    INITRAMFS,
    KERNEL,
    ROOT_IMAGE,
    SUFFIX,
    BundleFile,
    BundleManifest,
)


def make_update(payload: Payload, workspace: Path, output: Path) -> list[Path]:
    """Write NAME.update into `output`, signed by the payload's keys, and return its path."""
    del workspace
    path = output / f"{payload.name}{SUFFIX}"
    keys = [load_private_key(key) for key in payload.sign_keys]
    files = {KERNEL: payload.kernel, INITRAMFS: payload.initramfs, ROOT_IMAGE: payload.rootfs}
    write_bundle(path, describe_update(payload, files), files, keys)
    return [path]


def describe_update(payload: Payload, files: dict[str, Path]) -> BundleManifest:
    """Say what an update is."""
    release = payload.release
    return BundleManifest(
        product=release.product,
        version=release.version,
        build_id=release.build_id,
        architecture=release.architecture,
        system=release.system,
        made=float(payload.epoch),
        arguments=tuple(payload.kernel_arguments),
        files={name: BundleFile(path.stat().st_size, digest_of(path)) for name, path in files.items()},
        packages=release.packages,
        intent_version=release.intent_version,
    )
