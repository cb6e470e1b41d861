"""From a plan to the work: boot files read and checked, identifiers drawn, the state gathered."""

import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nodeagent.boot_config import carry_sources
from nodeagent.facts.sources import read_text
from nodeagent.install.boot_files import BootFiles, load_boot_files
from nodeagent.install.command_line import installed_arguments
from nodeagent.install.kept_boot import KeptBoot, read_kept_boot
from nodeagent.install.layout import Layout, read_layout
from nodeagent.install.marker import Marker
from nodeagent.install.medium import Medium
from nodeagent.install.squashfs import squashfs_size
from nodeagent.install.steps import Work, check_esp_size, copy_state
from nodeagent.install.volumes import STATE_VOLUME, has_thin_check
from nodeagent.intent_sources import STATE as STATE_FILE
from nodeagent.intent_sources import load_state, merge
from nodeagent.intent_state import write_toml
from nodeagent.kernel_arguments import read_kernel_arguments
from nodelib.bus_install import InstallPlan
from nodelib.errors import Code, VirtnodeError
from nodelib.install_planning import state_group
from nodelib.slot_menu import check_length
from nodelib.slots import MEBIBYTE, SLOT_A, STATE, lay_out

STATE_FOLDER = "var/lib/virtnode"
SCRATCH = "run/virtnode/install"
FRESH_MODE = 0o600


def prepare(
    root: Path,
    plan: InstallPlan,
    medium: Medium,
    marker: Marker,
    *,
    new_identifier: Callable[[], uuid.UUID] = uuid.uuid4,
    load: Callable[[Path, Medium], BootFiles] = load_boot_files,
    device: Path | None = None,
) -> Work:
    """Get everything ready; raises VirtnodeError where something is missing, and has written nothing then."""
    if medium.root_image is None:
        raise VirtnodeError(Code.UNAVAILABLE, "this system does not run from an image that could be copied")
    device = device or root / "dev" / plan.disk.name
    regions, identifiers = _layout(plan, device, new_identifier)
    kept = (read_kept_boot(device, regions) if plan.keep else None) or KeptBoot(())
    cmdline = read_text(root / "proc/cmdline")
    scratch = root / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    gather_state(root, cmdline, scratch / "state")
    mirrored = state_group(identifiers["disk"]) if plan.mirror else ""
    group = plan.disk.mirror if plan.keep else mirrored
    state = f"{group}/{STATE_VOLUME}" if group else identifiers[STATE]

    def arguments(slot: str) -> tuple[str, ...]:
        words = installed_arguments(
            cmdline,
            slot,
            state,
            from_network=bool(medium.url),
            kept=kept.arguments,
            named_root=kept.named_root,
        )
        check_length(words)
        return words

    work = Work(
        device=device,
        regions=regions,
        identifiers=identifiers,
        keep=plan.keep,
        image=medium.root_image,
        image_bytes=squashfs_size(medium.root_image),
        boot=load(root, medium),
        title=marker.product,
        arguments=arguments(identifiers[SLOT_A]),
        marker=marker,
        state=scratch / "state",
        groups=() if plan.keep else groups_to_stop(plan),
        data=tuple(root / "dev" / disk.name for disk in plan.data),
        thin_pool=plan.thin,
        thin_check=has_thin_check(root),
        has_partitions=device.is_block_device(),
        state_group=group,
        area=kept.area,
    )
    check_esp_size(work)
    if plan.mirror is None:
        return work
    second = root / "dev" / plan.mirror.name
    regions, others = _layout(plan, second, new_identifier)
    twin = replace(
        work, device=second, regions=regions, identifiers=others, arguments=arguments(others[SLOT_A])
    )
    check_esp_size(twin)
    return replace(work, twin=twin)


def _layout(plan: InstallPlan, device: Path, new_identifier: Callable[[], uuid.UUID]) -> Layout:
    """Return the layout that a disk has, if it is kept, or gets."""
    if plan.keep:
        return read_layout(device)
    sizes = {region.name: region.size_bytes // MEBIBYTE for region in plan.regions}
    regions = lay_out(sizes, mirrored=plan.mirror is not None)
    names = ("disk", *(region.name for region in regions))
    return regions, {name: str(new_identifier()).upper() for name in names}


def gather_state(root: Path, cmdline: str, target: Path) -> None:
    """Copy what the node keeps, with what its medium and its kernel arguments say."""
    copy_state(root / STATE_FOLDER, target)
    carry_sources(root, target)
    arguments = read_kernel_arguments(cmdline).document
    if arguments:
        document = merge(arguments, load_state(root))
        for name in (STATE_FILE, f"{STATE_FILE}.good"):
            path = target / Path(name).name
            path.write_text(write_toml(document))
            path.chmod(FRESH_MODE)


def groups_to_stop(plan: InstallPlan) -> tuple[str, ...]:
    """Name the volume groups that are stopped first: those that the plan's disks list as such."""
    own = (plan.disk, *((plan.mirror,) if plan.mirror else ()))
    names = []
    for disk in (*own, *plan.data):
        names += [disk.mirror] if disk.mirror else []
        lines = " ".join(disk.holds)
        names += [
            name
            for name in disk.treasures
            if f"volume group {name}" in lines or f"storage domain {name}" in lines
        ]
    return tuple(dict.fromkeys(names))
