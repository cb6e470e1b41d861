"""Build an image: the story from a kickstart's plan to artefacts in a folder."""

import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.answers import newest_intent_version
from image.artefacts import parse_os_release
from image.bases import Package
from image.boot_set import install_boot_set, install_defaults, install_keys
from image.cache import Cache
from image.configure import OVERLAY
from image.doctor import find_missing
from image.file_owners import OWNERSHIP_NAME, Ownership, collect_ownership, write_ownership
from image.lint import check_rootfs, load_allowances, read_families
from image.lorax import check_lorax
from image.manifest import MANIFEST_NAME, Identity, collect_manifest, write_manifest
from image.media import Payload, Release
from image.media.table import MEDIA_MAKERS
from image.package_list import install_package_list, name_versions
from image.plan import CHECKOUT, CODE, PRODUCT, ImagePlan, Options, code_digest, digest
from image.programs import install_programs
from image.progress import Steps
from image.sbom import write_sbom
from image.selinux import label_root
from image.signing import load_private_key
from image.squashfs import make_squashfs
from image.sums import measure_artefacts, write_sums
from image.tree import (
    KernelStage,
    borrow_tree,
    make_kernel_stage,
    make_tree_stage,
    read_boot_files,
    read_notes,
    read_package_list,
    write_boot_files,
    write_build_id,
    write_package_list,
)
from image.workspace import open_workspace, publish
from nodelib import config_area, update_bundle
from nodelib.errors import Code, VirtnodeError
from nodelib.run import disk_full_error

logger = logging.getLogger(__name__)

SBOM_NAME = "sbom.spdx.json"
INSTALLER_CODE = (
    "bases/*.py",
    "chroot.py",
    "config.py",
    "data/mmdebstrap/**/*",
    "licence_expressions.py",
    "spdx_identifiers.py",
)
"""The code that decides what the package stage holds."""
STAGES_CODE = ("*.py", "bases/*.py", "data/**/*")
"""The code and files that decide what the other stages hold."""
UPDATE = "update"

LEAST_ROOM = 300_000_000
"""Bytes below which no set of packages fits: systemd alone takes more, with lists and downloads."""
AFTER_THE_STAGES = ("media", "pxe_url", "size_budget", "update_keys")
"""What of a plan shows on the media alone, or is laid into a finished root."""


@dataclass(frozen=True)
class Stages:
    """Folders of the expensive stages, finished and locked against removal."""

    installed: Path
    kernel: Path
    tree: Path


def build_image(plan: ImagePlan, options: Options, steps: Steps) -> list[Path]:
    """Build every medium of the plan into `options.out`, and return what was published there."""
    check_rights()
    check_tools(plan)
    check_signing(plan, options)
    with open_workspace(options.out) as workspace, contextlib.ExitStack() as held:
        stages = make_stages(plan, options, steps, held)
        root = workspace / "root"
        with steps.step("programs"):
            borrow_tree(stages.tree / "root", root)
            own = install_programs(root, options.sources.cache / "wheels")
            kernel = read_kernel_stage(stages)
            install_boot_set(root, kernel.boot, kernel_files(kernel))
            install_defaults(root, plan.config)
            packages = read_package_list(stages.tree)
            install_package_list(root, name_versions(packages))
            install_keys(root, update_bundle.TRUSTED_KEYS, plan.update_keys)
            install_keys(root, config_area.TRUSTED_KEYS, plan.config.config_keys)
            write_build_id(plan, root)
            label_root(root)
        with steps.step("lint"):
            notes = read_notes(stages.tree)
            for warning in notes.warnings:
                steps.say(f"warning: {warning}")
            lint_root(root, packages, [*own, *notes.made])
        finished = workspace / "finished"
        finished.mkdir()
        with steps.step("squashfs"):
            rootfs = workspace / "rootfs.squashfs"
            make_squashfs(root, rootfs, plan.profile, plan.epoch)
        release = describe_release(plan, root, packages)
        for medium in plan.media:
            with steps.step(medium):
                make = MEDIA_MAKERS[plan.assembler][medium]
                payload = make_payload(plan, kernel, root, rootfs, release, options.sign_keys)
                make(payload, workspace, finished)
        for note in update_notes(plan, options):
            steps.say(note)
        with steps.step("manifest"):
            own_paths = [*own, *overlay_paths()]
            ownership = collect_ownership(root, packages, own_paths=own_paths, drivers=notes.drivers)
            write_records(plan, finished, root, packages, ownership, kernel)
        check_budget(plan, finished)
        return publish(finished, options.out)


def check_rights() -> None:
    """Raise VirtnodeError (denied) unless this process may make a root tree."""
    if os.geteuid() != 0:
        raise VirtnodeError(
            Code.DENIED, "building needs root: files of the image belong to it", "run it with sudo"
        )


def check_tools(plan: ImagePlan) -> None:
    """Raise VirtnodeError (unavailable) with every tool that this build needs and the host lacks."""
    if plan.assembler == "lorax":
        check_lorax()
    missing = [tool for group in ("any", plan.config.base) for tool in find_missing(group)]
    if missing:
        names = ", ".join(f"{tool.name} (it {tool.purpose})" for tool in missing)
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"this host lacks {names}",
            "virtnode-image doctor names the packages to install",
        )


def check_signing(plan: ImagePlan, options: Options) -> None:
    """Raise VirtnodeError (invalid) for a key that cannot sign, or one that would have nothing to sign."""
    if options.sign_keys and UPDATE not in plan.media:
        message = f"--sign-key signs the update bundle, and none is built: media are {','.join(plan.media)}"
        raise VirtnodeError(Code.INVALID, message, f"add {UPDATE} to --media")
    for key in options.sign_keys:
        load_private_key(key)


def update_notes(plan: ImagePlan, options: Options) -> list[str]:
    """Say what keeps nodes from taking this bundle or the next one."""
    if UPDATE not in plan.media:
        return []
    notes = []
    if not options.sign_keys:
        notes.append("note: the update bundle is not signed, and nodes refuse it: virtnode-image sign")
    if not plan.update_keys:
        notes.append("note: this image trusts no update key, so it takes no further update: --update-key")
    return notes


def make_stages(plan: ImagePlan, options: Options, steps: Steps, held: contextlib.ExitStack) -> Stages:
    """Make or find the packages, the kernel stage and the trimmed tree; `held` keeps them from removal."""
    cache = Cache(options.sources.cache / "stages")
    everything, installer = stages_key(plan), installer_key(plan)

    def install(folder: Path) -> None:
        check_room(folder)
        (folder / "root").mkdir()
        (folder / "boot").mkdir()
        base = plan.base
        base.install(plan.config, options.sources, folder / "root", steps.detail)
        write_package_list(base.list_packages(folder / "root"), folder)
        boot = base.fetch_boot_files(plan.config, options.sources, folder / "root", folder / "boot")
        write_boot_files(boot, folder)

    with steps.step("packages"):
        installed, _ = held.enter_context(cache.stage("packages", installer, install))
    with steps.step("kernel"):
        kernel, _ = held.enter_context(
            cache.stage("kernel", everything, lambda folder: make_kernel_stage(plan, installed, folder))
        )
    with steps.step("tree"):
        tree, _ = held.enter_context(
            cache.stage("tree", everything, lambda folder: make_tree_stage(plan, installed, kernel, folder))
        )
    return Stages(installed, kernel, tree)


def check_room(folder: Path) -> None:
    """Raise VirtnodeError (failed) where packages cannot fit; apt may wait for ever once its lists do not."""
    free = shutil.disk_usage(folder).free
    if free < LEAST_ROOM:
        least = f"packages take at least {LEAST_ROOM / 1e6:.0f} MB"
        raise disk_full_error(f"{folder} has {free / 1e6:.0f} MB left, and {least}")


def installer_key(plan: ImagePlan) -> str:
    """Digest what the package stage depends on: packages, repositories as they are now, trusted keys, code.

    A mirror's address is not among it: what the mirror offers is.
    """
    config = plan.config
    chosen = [config.base, config.suite, repr(config.packages), repr(config.url), repr(config.repositories)]
    states = [[state.name, state.digest] for state in plan.repositories]
    return digest([*chosen, states, list(plan.keys), code_digest(CODE, INSTALLER_CODE), runner_digest()])


def stages_key(plan: ImagePlan) -> str:
    """Digest what the kernel and tree stages depend on: code, files laid over the root, most of the plan."""
    shaping = {name: value for name, value in plan.as_json().items() if name not in AFTER_THE_STAGES}
    return digest([shaping, code_digest(CODE, STAGES_CODE), runner_digest()])


def runner_digest() -> str:
    """Digest the code that runs commands, which decides their environment."""
    return code_digest(CHECKOUT / "nodelib", ("run.py",))


def read_kernel_stage(stages: Stages) -> KernelStage:
    """Name the files that boot."""
    folder = stages.kernel
    boot = read_boot_files(stages.installed)
    return KernelStage(folder / "vmlinuz", folder / "initrd.img", folder / "initrd-network.img", boot)


def kernel_files(kernel: KernelStage) -> dict[str, Path]:
    """Name kernel and initramfs archives as a node knows them."""
    return {
        "vmlinuz": kernel.kernel,
        "initrd.img": kernel.initramfs,
        "initrd-network.img": kernel.network_initramfs,
    }


def lint_root(root: Path, packages: Sequence[Package], own: Sequence[str]) -> None:
    """Refuse a root that is broken or holds a file nobody accounts for."""
    ours = [*own, *(f"{path}/*" for path in own), *overlay_paths()]
    problems = check_rootfs(root, packages, load_allowances(read_families(root)), ours=ours)
    if problems:
        raise VirtnodeError(
            Code.FAILED,
            "\n".join([f"the root has {len(problems)} problems:", *problems]),
            "a trim rule that drops too much, or a file to name in image/data/generated.toml",
        )


def overlay_paths() -> list[str]:
    """List the files that are laid over every root, as absolute paths inside it."""
    return [f"/{path.relative_to(OVERLAY)}" for path in sorted(OVERLAY.rglob("*")) if path.is_file()]


def describe_release(plan: ImagePlan, root: Path, packages: Sequence[Package]) -> Release:
    """Gather what an image is called and made of."""
    fields = parse_os_release((root / "usr/lib/os-release").read_text())
    return Release(
        product=PRODUCT,
        version=plan.version,
        build_id=plan.build_id,
        architecture=plan.architecture,
        system=f"{fields.get('NAME', '')} {fields.get('VERSION_ID', '')}".strip(),
        packages=name_versions(packages),
        intent_version=newest_intent_version(),
    )


def make_payload(
    plan: ImagePlan,
    kernel: KernelStage,
    root: Path,
    rootfs: Path,
    release: Release,
    sign_keys: Sequence[Path],
) -> Payload:
    """Gather what every medium carries."""
    return Payload(
        name=plan.name,
        title=f"{PRODUCT} {plan.version}",
        label=plan.label,
        kernel=kernel.kernel,
        initramfs=kernel.initramfs,
        network_initramfs=kernel.network_initramfs,
        rootfs=rootfs,
        root=root,
        boot=kernel.boot,
        kernel_arguments=plan.config.kernel_arguments,
        menu_timeout=plan.config.boot_timeout,
        partitions=plan.config.partitions,
        pxe_url=plan.pxe_url,
        epoch=plan.epoch,
        release=release,
        sign_keys=sign_keys,
    )


def write_records(
    plan: ImagePlan,
    finished: Path,
    root: Path,
    packages: Sequence[Package],
    ownership: Ownership,
    kernel: KernelStage,
) -> None:
    """Write what is in the image: manifest, bill of materials, owners of files, sums."""
    identity = Identity(
        product=PRODUCT,
        version=plan.version,
        architecture=plan.architecture,
        base=plan.config.base,
        suite=plan.config.suite,
        plan=plan.id,
        profile=str(plan.profile),
        source_date_epoch=plan.epoch,
    )
    manifest = collect_manifest(
        identity,
        root=root,
        packages=packages,
        ownership=ownership,
        repositories=plan.repositories,
        boot_packages=dict.fromkeys(kernel.boot.packages, ("boot loaders",)),
        artefacts=measure_artefacts(finished),
    )
    write_manifest(manifest, finished / MANIFEST_NAME)
    write_sbom(manifest, finished / SBOM_NAME)
    write_ownership(ownership, finished / OWNERSHIP_NAME)
    write_sums(finished)


def check_budget(plan: ImagePlan, finished: Path) -> None:
    """Refuse an ISO over its budget; what was built before stays in the output folder."""
    iso = finished / f"{plan.name}.iso"
    if plan.size_budget is None or not iso.exists():
        return
    size = iso.stat().st_size
    if size > plan.size_budget:
        raise VirtnodeError(
            Code.FAILED,
            f"the ISO has {size / 1e6:.1f} MB, and its budget is {plan.size_budget / 1e6:.1f} MB",
            "build with a larger --size-budget, then ask virtnode-image why-size what to drop",
        )
