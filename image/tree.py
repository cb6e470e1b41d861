"""The root tree, stage by stage: packages, kernel and initramfs, settings, trimming."""

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases import BootFiles, Package
from image.bytecode import compile_libraries
from image.configure import clean_root, configure_root, write_text
from image.drivers import (
    find_kernel_version,
    index_drivers,
    keep_drivers,
    keep_firmware,
    read_dependencies,
    select_modules,
    unpack_drivers,
)
from image.initramfs import LOCAL, NETWORK, make_initramfs
from image.lorax import has_template_runner, run_with_lorax
from image.plan import PRODUCT, ImagePlan, Profile, drop_rules, template_variables
from image.post import run_post_scripts
from image.selinux import POLICY
from image.trim import TrimReport, apply_trim, prune_empty_directories
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

PACKAGE_LIST = "packages.json"
BOOT_FILES = "boot.json"
NOTES = "notes.json"
CARRIED_DRIVERS = "drivers.json"
"""The kernel modules that both initramfs archives carry, and hand to the node when it starts."""
KERNEL_PLACES = ("boot/vmlinuz-{version}", "usr/lib/modules/{version}/vmlinuz")
INITRAMFS_COMPRESSION = {
    Profile.RELEASE: ("xz", "--check=crc32", "-6", "--threads=1"),
    Profile.DEV: ("zstd", "-q", "-3", "--threads=0"),
}


@dataclass(frozen=True)
class KernelStage:
    """What boots: kernel, initramfs archives, and the distribution's boot loaders."""

    kernel: Path
    initramfs: Path
    network_initramfs: Path
    boot: BootFiles


@dataclass(frozen=True)
class TreeNotes:
    """What is worth knowing of how a tree was made."""

    warnings: tuple[str, ...]
    """Of trim rules that matched nothing."""
    drivers: Mapping[str, str]
    """Paths of kernel modules and the group that keeps each."""
    made: tuple[str, ...]
    """Files that the kickstart's own scripts added."""


def read_notes(folder: Path) -> TreeNotes:
    """Read the notes of a tree stage."""
    notes = json.loads((folder / NOTES).read_text())
    return TreeNotes(tuple(notes["warnings"]), notes["drivers"], tuple(notes["made"]))


def copy_tree(source: Path, target: Path) -> None:
    """Copy a tree with everything that belongs to it: owners, times, links, extended attributes."""
    run(["cp", "--archive", "--reflink=auto", source, target])


def borrow_tree(source: Path, target: Path) -> None:
    """Copy a tree's folders, and give its files a second name: replace a file of `target`, never change one.

    An SELinux policy means that labels are written to the files themselves; those are copied, as are files
    of another file system.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if (source / POLICY).is_dir() or source.stat().st_dev != target.parent.stat().st_dev:
        copy_tree(source, target)
    else:
        run(["cp", "--archive", "--link", source, target])


def write_package_list(packages: list[Package], folder: Path) -> None:
    """Keep the package database's content, which trimming removes from the root."""
    (folder / PACKAGE_LIST).write_text(json.dumps([dataclasses.asdict(package) for package in packages]))


def read_package_list(folder: Path) -> list[Package]:
    """Read what write_package_list wrote."""
    rows = json.loads((folder / PACKAGE_LIST).read_text())
    return [Package(**{**row, "files": tuple(row["files"])}) for row in rows]


def write_boot_files(boot: BootFiles, folder: Path) -> None:
    """Keep where the boot loaders lie, relative to `folder`, which may move."""
    fields = {
        field.name: str(value.relative_to(folder))
        for field in dataclasses.fields(boot)
        if isinstance(value := getattr(boot, field.name), Path)
    }
    packages = [dataclasses.asdict(package) for package in boot.packages]
    document = {"files": fields, "vendor": boot.vendor, "packages": packages}
    (folder / BOOT_FILES).write_text(json.dumps(document))


def read_boot_files(folder: Path) -> BootFiles:
    """Read what write_boot_files wrote."""
    document = json.loads((folder / BOOT_FILES).read_text())
    packages = tuple(Package(**{**row, "files": tuple(row["files"])}) for row in document["packages"])
    paths = {name: folder / path for name, path in document["files"].items()}
    return BootFiles(**paths, vendor=document["vendor"], packages=packages)


def write_identity(plan: ImagePlan, root: Path) -> None:
    """Name the product in os-release, keeping the distribution's own fields beside it.

    Not the build: this stage is kept longer than one, see write_build_id.
    """
    path = root / "usr/lib/os-release"
    fields = [line for line in path.read_text().splitlines() if line and not line.startswith("PRETTY_NAME=")]
    distribution = next(
        (line.partition("=")[2].strip('"') for line in fields if line.startswith("NAME=")), ""
    )
    number = next(
        (line.partition("=")[2].strip('"') for line in fields if line.startswith("VERSION_ID=")), ""
    )
    own = [
        f'PRETTY_NAME="{PRODUCT} {plan.version} ({distribution} {number})"',
        f"VARIANT_ID={PRODUCT}",
        f"IMAGE_ID={PRODUCT}",
        f"IMAGE_VERSION={plan.version}",
    ]
    write_text(path, "\n".join([*fields, *own]) + "\n")


def write_build_id(plan: ImagePlan, root: Path) -> None:
    """Name the plan in a finished root's os-release."""
    path = root / "usr/lib/os-release"
    fields = [line for line in path.read_text().splitlines() if not line.startswith("BUILD_ID=")]
    write_text(path, "\n".join([*fields, f"BUILD_ID={plan.build_id}"]) + "\n")


def make_kernel_stage(plan: ImagePlan, installed: Path, folder: Path) -> None:
    """From an installed root, leave the kernel, the initramfs and the boot loaders in `folder`."""
    scratch = folder / "root"
    copy_tree(installed / "root", scratch)
    write_identity(plan, scratch)
    keep_drivers(scratch, plan.drivers)
    index_drivers(scratch)
    version = find_kernel_version(scratch)
    shutil.copyfile(find_kernel_image(scratch, version), folder / "vmlinuz")
    compressor = INITRAMFS_COMPRESSION[plan.profile]
    drivers = make_initramfs(scratch, version, LOCAL, folder / "initrd.img", compressor, plan.epoch)
    network = make_initramfs(scratch, version, NETWORK, folder / "initrd-network.img", compressor, plan.epoch)
    if not drivers <= network:
        raise VirtnodeError(
            Code.FAILED, f"the network's initramfs lacks {', '.join(sorted(drivers - network))}"
        )
    (folder / CARRIED_DRIVERS).write_text(json.dumps(sorted(drivers)))
    shutil.rmtree(scratch)


def find_kernel_image(root: Path, version: str) -> Path:
    """Find the kernel where one of the distributions puts it."""
    for place in KERNEL_PLACES:
        path = root / place.format(version=version)
        if path.exists():
            return path
    raise VirtnodeError(
        Code.NOT_FOUND, f"the packages brought no kernel image for {version}", "is a kernel in %packages?"
    )


def make_tree_stage(plan: ImagePlan, installed: Path, kernel: Path, folder: Path) -> None:
    """From an installed root and its kernel stage, make the configured and trimmed root in `folder`/root."""
    root = folder / "root"
    copy_tree(installed / "root", root)
    packages = read_package_list(installed)
    write_identity(plan, root)
    configure_root(plan.config, root)
    before = list_files(root)
    run_post_scripts(plan.config.post_scripts, root)
    made = sorted(list_files(root) - before)
    drivers = driver_groups_of(plan, root)
    keep_drivers(root, plan.drivers)
    keep_firmware(root)
    renamed = unpack_drivers(root, json.loads((kernel / CARRIED_DRIVERS).read_text()))
    packages = rename_files(packages, renamed)
    drivers = {renamed.get(path, path): group for path, group in drivers.items()}
    report = trim_root(plan, root, packages)
    prune_empty_directories(root, packages, report)
    run(["ldconfig", "-r", root])
    packages = rename_files(packages, compile_libraries(root))
    clean_root(root)
    notes = TreeNotes(tuple(report.warnings), drivers, tuple(made))
    (folder / NOTES).write_text(json.dumps(dataclasses.asdict(notes)))
    write_package_list(packages, folder)


def trim_root(plan: ImagePlan, root: Path, packages: Sequence[Package]) -> TrimReport:
    """Carry out every trim rule; templates by lorax where it shall assemble and its interpreter is here."""
    if plan.assembler != "lorax" or not has_template_runner():
        return apply_trim(plan.rules, root, packages)
    before = list_files(root)
    run_with_lorax(plan.config.trim.templates, root, template_variables(plan.config), packages)
    report = apply_trim(drop_rules(plan.config), root, packages)
    return dataclasses.replace(report, removed=before - list_files(root))


def list_files(root: Path) -> frozenset[str]:
    """List what is no directory in a tree, as absolute paths inside it."""
    top = len(str(root))
    found: set[str] = set()
    for folder, directories, names in os.walk(root):
        links = [name for name in directories if Path(folder, name).is_symlink()]
        found.update(f"{folder[top:]}/{name}" for name in names + links)
    return frozenset(found)


def rename_files(packages: Sequence[Package], renamed: Mapping[str, str]) -> list[Package]:
    """Give packages' files the names they have now; a package may list them below a merged /lib."""
    aliases = {**renamed, **{old.removeprefix("/usr"): new for old, new in renamed.items()}}
    return [
        dataclasses.replace(package, files=tuple(aliases.get(path, path) for path in package.files))
        for package in packages
    ]


def driver_groups_of(plan: ImagePlan, root: Path) -> Mapping[str, str]:
    """Map each kept module's path to the group that keeps it."""
    version = find_kernel_version(root)
    dependencies = read_dependencies(root / "usr/lib/modules" / version / "modules.dep")
    kept = select_modules(dependencies, plan.drivers)
    return {f"/usr/lib/modules/{version}/{module}": group for module, group in kept.items()}
