"""The one door to lorax: its template runner, and the command lines of its image makers."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.bases import Package
from nodelib.errors import Code, VirtnodeError


@dataclass(frozen=True)
class LoraxJob:
    """What livemedia-creator is asked to make, from a file system image it may change: give it a copy."""

    filesystem_image: Path
    kickstart: Path
    """Read for its packages alone, which must name dracut-live; with none given, making an ISO crashes."""
    result_directory: Path
    """Must not exist yet."""
    workspace: Path
    """For temporary files and the logs."""
    product: str
    release: str
    kernel_arguments: tuple[str, ...] = ()


def run_with_lorax(
    templates: Sequence[Path], root: Path, variables: Mapping[str, str], packages: Sequence[Package]
) -> None:
    """Run trim templates over `root` with lorax's own interpreter.

    Which files a package has is answered from `packages`: lorax would know those of a transaction it ran
    itself (libdnf5) or need the package database (dnf 4). Raises VirtnodeError, unavailable without lorax.
    """
    runner_class = _import_runner()
    for template in templates:
        path = template.absolute()
        runner = runner_class(inroot=str(root), outroot=str(root), templatedir=str(path.parent))
        runner._filelist = lambda *globs: _list_files(packages, globs, root)
        try:
            runner.run(str(path), **variables)
        except Exception as error:  # lorax hands on whatever went wrong inside a command
            raise VirtnodeError(
                Code.FAILED, f"lorax stopped in {template}: {error}", "lorax's log above names the line"
            ) from error


def live_iso_argv(job: LoraxJob, *, iso_name: str, volume_id: str) -> list[str]:
    """Have livemedia-creator make a bootable ISO of a file system image."""
    return [
        "livemedia-creator",
        "--make-iso",
        "--iso-only",
        f"--iso-name={iso_name}",
        f"--volid={volume_id}",
        "--nomacboot",
        *_common_arguments(job),
    ]


def pxe_live_argv(job: LoraxJob) -> list[str]:
    """Have livemedia-creator make kernel, initramfs and live squashfs for PXE of a file system image."""
    return ["livemedia-creator", "--make-pxe-live", *_common_arguments(job)]


def customised_iso_argv(
    source: Path,
    destination: Path,
    *,
    kernel_arguments: Sequence[str] = (),
    remove_arguments: Sequence[str] = (),
    added: Sequence[Path] = (),
    volume_id: str = "",
) -> list[str]:
    """Have mkksiso copy an ISO with other kernel arguments and added files, mounting nothing."""
    changes = []
    if kernel_arguments:
        changes.append(f"--cmdline={' '.join(kernel_arguments)}")
    if remove_arguments:
        changes.append(f"--rm-args={' '.join(remove_arguments)}")
    if volume_id:
        changes.append(f"--volid={volume_id}")
    if not (changes or added):
        raise VirtnodeError(Code.INVALID, "mkksiso needs something to change", "give arguments or files")
    # The signed EFI image is left alone: rebuilding it would mount vfat.
    additions = [f"--add={path}" for path in added]
    return ["mkksiso", "--skip-mkefiboot", *changes, *additions, str(source), str(destination)]


def _common_arguments(job: LoraxJob) -> list[str]:
    arguments = [
        f"--fs-image={job.filesystem_image}",
        f"--ks={job.kickstart}",
        f"--resultdir={job.result_directory}",
        f"--tmp={job.workspace}",
        f"--logfile={job.workspace / 'livemedia.log'}",
        f"--project={job.product}",
        f"--releasever={job.release}",
    ]
    if job.kernel_arguments:
        arguments.append(f"--extra-boot-args={' '.join(job.kernel_arguments)}")
    return arguments


def _import_runner() -> Any:  # noqa: ANN401 (lorax has no types)
    try:
        from pylorax.ltmpl import LoraxTemplateRunner
    except ImportError as error:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"lorax is not installed: {error}",
            "on Fedora, dnf install lorax; without it the built-in interpreter runs the same templates",
        ) from error
    return LoraxTemplateRunner


def _list_files(packages: Sequence[Package], globs: Sequence[str], root: Path) -> set[str]:
    return {
        path
        for package in packages
        if any(fnmatch.fnmatchcase(package.name, glob) for glob in globs)
        for path in package.files
        if not Path(f"{root}{path}").is_dir()
    }
