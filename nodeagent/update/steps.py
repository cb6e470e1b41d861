"""The steps of an update, in an order in which no loss of power leaves a slot that starts half written.

Each is done to the second disk first, if there is one: what a start finds of the first is never ahead of it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import IO

from nodeagent.install.disk_writer import opened, read_back
from nodeagent.update.bundle import Bundle, read_payload
from nodeagent.update.environment import give_up, load_environment, put_on_trial, store_environment
from nodeagent.update.slot_disk import SLOT_PREFIX, SlotDisk
from nodelib.errors import Code, VirtnodeError
from nodelib.slot_menu import TRIES, slot_config
from nodelib.update_bundle import INITRAMFS, KERNEL, ROOT_IMAGE

SLOT_FILES = ("slot.cfg", KERNEL, INITRAMFS)
NAMED_ROOT = "root=live:PARTLABEL="
OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class UpdateWork:
    """All that the writing needs to know; nothing is decided once it runs."""

    disk: SlotDisk
    source: IO[bytes]
    bundle: Bundle
    title: str
    arguments: tuple[str, ...]
    """Of the kernel in the idle slot."""

    @property
    def slot(self) -> str:
        """The slot that is written."""
        return self.disk.idle

    def size(self, name: str) -> int:
        """Return the bytes of a file of the payload."""
        return self.bundle.manifest.files[name].size


@dataclass(frozen=True)
class UpdateStep:
    """One step: after each the machine starts what it started before, and after the last the new image."""

    name: str
    text: str
    do: Callable[[UpdateWork, OnBytes], None]


def update_steps(work: UpdateWork) -> tuple[UpdateStep, ...]:
    """List the steps."""
    slot = work.slot
    return (
        UpdateStep("forget", "taking the other slot out of the boot menu", forget_slot),
        UpdateStep("close", f"removing what slot {slot} held", close_slot),
        UpdateStep("image", f"writing the image to slot {slot}", write_image),
        UpdateStep("kernel", "writing the kernel", write_kernel),
        UpdateStep("initramfs", "writing the initramfs", write_initramfs),
        UpdateStep("config", f"describing slot {slot}", write_config),
        UpdateStep("trial", f"putting slot {slot} on trial", begin_trial),
    )


def run_steps(work: UpdateWork, note: Callable[[UpdateStep, int], None]) -> None:
    """Do all steps; `note` hears of each, and of the bytes that it has dealt with since."""
    for step in update_steps(work):
        note(step, 0)
        step.do(work, lambda count, step=step: note(step, count))  # type: ignore[misc]


def forget_slot(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Have the menu neither try the slot nor take it for one that once passed."""
    for disk in work.disk.copies:
        with disk.boot_partition() as esp:
            environment = give_up(load_environment(esp), work.slot)
            if disk is not work.disk:
                # It may have missed an update, and have started what is overwritten now.
                environment = replace(environment, slot=disk.booted)
            store_environment(esp, environment)


def close_slot(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Remove slot.cfg, without which nothing starts a slot, and then the rest."""
    for disk in work.disk.copies:
        with disk.boot_partition() as esp:
            esp.make_folder(work.slot)
            for name in SLOT_FILES:
                esp.remove_file(f"{work.slot}/{name}")


def write_image(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Write the root's image, and read it back; raises VirtnodeError (failed) if the disk gives another."""
    size = work.size(ROOT_IMAGE)
    for disk in work.disk.copies:
        start, room = disk.slot_place(work.slot)
        if size > room:
            raise VirtnodeError(Code.FAILED, f"slot {work.slot} is smaller than the image")
        with opened(disk.device) as device:
            place = start
            for block in read_payload(work.source, work.bundle, ROOT_IMAGE):
                os.pwrite(device, block, place)
                place += len(block)
                on_bytes(len(block))
            os.fsync(device)
            found = read_back(device, start, size, on_bytes)
        _check_sum(work, disk, ROOT_IMAGE, found)


def write_kernel(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Write the kernel."""
    _write_file(work, KERNEL, on_bytes)


def write_initramfs(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Write the initramfs."""
    _write_file(work, INITRAMFS, on_bytes)


def write_config(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Write slot.cfg: from now on the slot could be started."""
    for disk in work.disk.copies:
        data = slot_config(work.title, slot_arguments(work.arguments, disk, ())).encode()
        with disk.boot_partition() as esp:
            esp.write_file(f"{work.slot}/slot.cfg", len(data), [data], on_bytes)


def begin_trial(work: UpdateWork, on_bytes: OnBytes) -> None:
    """Have the menu try the slot at the next starts."""
    for disk in work.disk.copies:
        with disk.boot_partition() as esp:
            store_environment(esp, put_on_trial(load_environment(esp), work.slot, TRIES))


def slot_arguments(own: Sequence[str], disk: SlotDisk, wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments of the idle slot: those of the running one, its own root, what the image adds."""
    # A disk image names its root so, by which a node knows that something may be embedded in the image.
    is_named = any(word.startswith(NAMED_ROOT) for word in own)
    name = f"{NAMED_ROOT}{SLOT_PREFIX}{disk.idle}"
    root = name if is_named else f"root=live:PARTUUID={disk.identifier(disk.idle)}"
    kept = [root if word.startswith("root=live:") else word for word in own]
    names = {word.partition("=")[0] for word in kept}
    return (*kept, *(word for word in wanted if word.partition("=")[0] not in names))


def _write_file(work: UpdateWork, name: str, on_bytes: OnBytes) -> None:
    for disk in work.disk.copies:
        blocks = read_payload(work.source, work.bundle, name)
        with disk.boot_partition() as esp:
            found = esp.write_file(f"{work.slot}/{name}", work.size(name), blocks, on_bytes)
        _check_sum(work, disk, name, found)


def _check_sum(work: UpdateWork, disk: SlotDisk, name: str, found: str) -> None:
    if found != work.bundle.manifest.files[name].sha256:
        raise VirtnodeError(
            Code.FAILED,
            f"{disk.device.name} does not give back what was written to it: {name}",
            "replace the disk, or see whether the bundle was changed meanwhile",
        )
