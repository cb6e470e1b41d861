"""What an update would do, and all that stands against it, found before the first write."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nodeagent.install.fat_editor import FatEditor
from nodeagent.intent import VERSION
from nodeagent.update.bundle import Bundle
from nodeagent.update.environment import load_environment
from nodeagent.update.image import RunningImage, read_running
from nodeagent.update.slot_disk import SlotDisk, is_mounted, knows_trials, read_config
from nodeagent.update.steps import SLOT_FILES, slot_arguments
from nodelib.bus_update import PackageChange, UpdatePlan
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import check_length
from nodelib.update_bundle import INITRAMFS, KERNEL, ROOT_IMAGE, BundleManifest


def make_plan(root: Path, disk: SlotDisk, bundle: Bundle, guests: tuple[str, ...] = ()) -> UpdatePlan:
    """Say what would be done with a bundle."""
    running, manifest = read_running(root), bundle.manifest
    with disk.boot_partition() as esp:
        problems = [*_wrong_image(running, manifest), *_wrong_disk(root, disk, esp, manifest)]
        if load_environment(esp).trial == disk.booted:
            problems.append("the image that runs is on trial itself: wait until it is kept")
        present = read_config(esp, disk.idle)
    if disk.twin is not None:
        with disk.twin.boot_partition() as esp:
            wrong = _wrong_disk(root, disk.twin, esp, manifest)
            problems += [f"{disk.twin.device.name}: {problem}" for problem in wrong]
    return UpdatePlan(
        version=manifest.version,
        build_id=manifest.build_id,
        system=manifest.system,
        slot=disk.idle,
        replaces=present.title if present else "",
        size_bytes=sum(one.size for one in manifest.files.values()),
        signed_by=bundle.signer,
        packages=package_changes(running.packages, manifest.packages),
        warnings=tuple(_warnings(running, manifest, disk, guests)),
        problems=tuple(problems),
    )


def package_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[PackageChange, ...]:
    """Name the packages that differ."""
    names = sorted(before.keys() | after.keys())
    changes = (PackageChange(name, before.get(name, ""), after.get(name, "")) for name in names)
    return tuple(change for change in changes if change.before != change.after)


def version_key(version: str) -> tuple[tuple[int, str], ...]:
    """Make versions comparable: numbers by their size, words after them."""
    parts = re.findall(r"\d+|[a-z]+", version.lower())
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)


def esp_need(esp: FatEditor, manifest: BundleManifest) -> int:
    """Return the bytes that a slot's files take of the boot partition, with a folder and slot.cfg."""
    cluster = esp.cluster_bytes
    sizes = (manifest.files[KERNEL].size, manifest.files[INITRAMFS].size, 4096, 1)
    return sum(-(-size // cluster) * cluster for size in sizes)


def title_of(manifest: BundleManifest) -> str:
    """Name an image for the boot menu."""
    return f"{manifest.product} {manifest.version}"


def _wrong_image(running: RunningImage, manifest: BundleManifest) -> Iterator[str]:
    if manifest.product != running.product:
        yield f"the bundle is for {manifest.product}, and this is {running.product}"
    if manifest.architecture != running.architecture:
        yield f"the bundle is for {manifest.architecture}, and this machine is {running.architecture}"


def _wrong_disk(root: Path, disk: SlotDisk, esp: FatEditor, manifest: BundleManifest) -> Iterator[str]:
    size, room = manifest.files[ROOT_IMAGE].size, disk.slot_place(disk.idle)[1]
    if size > room:
        yield f"slot {disk.idle} has {room >> 20} MiB, and the image {-(-size >> 20)}: no room"
    free = esp.free_bytes([f"{disk.idle}/{name}" for name in SLOT_FILES])
    need = esp_need(esp, manifest)
    if need > free:
        yield f"the boot partition has {free >> 20} MiB free, and {-(-need >> 20)} are needed: no room"
    if not knows_trials(esp):
        yield "this disk's boot menu knows no trial: install once more, with --keep"
    if is_mounted(root, disk):
        yield "the boot partition is mounted: unmount it"
    config = read_config(esp, disk.booted)
    if config is None:
        yield f"slot {disk.booted}, which runs, has no slot.cfg any more: install once more, with --keep"
        return
    try:
        check_length(slot_arguments(config.arguments, disk, manifest.arguments))
    except VirtnodeError as error:
        yield error.message


def _warnings(
    running: RunningImage, manifest: BundleManifest, disk: SlotDisk, guests: tuple[str, ...]
) -> Iterator[str]:
    if manifest.build_id == running.build_id:
        yield "it is the build that runs already"
    elif version_key(manifest.version) < version_key(running.version):
        yield f"it is older than what runs: {running.version}"
    if manifest.intent_version < VERSION:
        yield "its agent does not read this configuration: it starts with what it can know of it"
    if disk.twin_problem:
        yield f"{disk.twin_problem}: {disk.device.name} alone is updated"
    if guests:
        yield f"virtual machines run, and a restart stops them: {', '.join(guests)}"
