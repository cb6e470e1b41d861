"""From a plan to the work: boot files read and checked, identifiers drawn, the state gathered."""

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from nodeagent.boot_config import carry_sources
from nodeagent.facts.sources import read_text
from nodeagent.install.boot_files import BootFiles, load_boot_files
from nodeagent.install.command_line import installed_arguments
from nodeagent.install.layout import read_layout
from nodeagent.install.marker import Marker
from nodeagent.install.medium import Medium, squashfs_size
from nodeagent.install.steps import Work, check_esp_size, copy_state
from nodeagent.install.volumes import has_thin_check
from nodeagent.intent_sources import STATE as STATE_FILE
from nodeagent.intent_sources import load_state, merge
from nodeagent.intent_state import write_toml
from nodeagent.kernel_arguments import read_kernel_arguments
from nodelib.bus_install import InstallPlan
from nodelib.errors import Code, VirtnodeError
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
    if plan.keep:
        regions, identifiers = read_layout(device)
    else:
        regions = lay_out({region.name: region.size_bytes // MEBIBYTE for region in plan.regions})
        names = ("disk", *(region.name for region in regions))
        identifiers = {name: str(new_identifier()).upper() for name in names}
    cmdline = read_text(root / "proc/cmdline")
    scratch = root / SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    gather_state(root, cmdline, scratch / "state")
    work = Work(
        device=device,
        regions=regions,
        identifiers=identifiers,
        keep=plan.keep,
        image=medium.root_image,
        image_bytes=squashfs_size(medium.root_image),
        boot=load(root, medium),
        title=marker.product,
        arguments=installed_arguments(
            cmdline, identifiers[SLOT_A], identifiers[STATE], from_network=bool(medium.url)
        ),
        marker=marker,
        state=scratch / "state",
        groups=() if plan.keep else tuple(_groups(plan)),
        data=tuple(root / "dev" / disk.name for disk in plan.data),
        thin_pool=plan.thin,
        thin_check=has_thin_check(root),
        has_partitions=device.is_block_device(),
    )
    check_esp_size(work)
    return work


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


def _groups(plan: InstallPlan) -> list[str]:
    """Name the volume groups that are stopped first: those that the plan's disks list as such."""
    names = []
    for disk in (plan.disk, *plan.data):
        lines = " ".join(disk.holds)
        names += [
            name
            for name in disk.treasures
            if f"volume group {name}" in lines or f"storage domain {name}" in lines
        ]
    return list(dict.fromkeys(names))
