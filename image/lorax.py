"""The one door to lorax: its template runner, and the command lines of its image makers."""

import fnmatch
import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from image.bases import Package
from nodelib.errors import Code, VirtnodeError

SQUASHFS_OPTIONS = ("-b 1M", "-Xbcj x86")
"""Small rather than quick; lorax splits each at its first space."""


@dataclass(frozen=True)
class LoraxJob:
    """What livemedia-creator is asked to make, from a file system image it may change: give it a copy."""

    filesystem_image: Path
    kickstart: Path
    """Read for its packages, which must name dracut-live, and its partitions, whose size must not be 0."""
    result_directory: Path
    """Must not exist yet."""
    workspace: Path
    """For temporary files and the logs."""
    product: str
    release: str
    kernel_arguments: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ("boot/*",)
    """What lorax needs in the image, and the node does not need in its root: paths with wildcards."""


def check_lorax() -> None:
    """Raise VirtnodeError (unavailable) unless lorax's programs are installed."""
    absent = [name for name in ("livemedia-creator", "mkksiso") if shutil.which(name) is None]
    if absent:
        raise VirtnodeError(
            Code.UNAVAILABLE,
            f"lorax is not installed: there is no {' and no '.join(absent)}",
            "on Fedora, dnf install lorax; Debian has none: leave out --assembler lorax there",
        )


def has_template_runner() -> bool:
    """Tell whether this Python can run trim templates with lorax's own interpreter."""
    return importlib.util.find_spec("pylorax") is not None


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
    return [*_make_iso(volume_id), "--iso-only", f"--iso-name={iso_name}", *_common_arguments(job)]


def live_files_argv(job: LoraxJob, *, volume_id: str) -> list[str]:
    """Have livemedia-creator leave what it puts into an ISO beside it: kernel, initramfs and squashfs.

    Its own --make-pxe-live wraps the root in an ext4 image, which takes one more driver and one more mount.
    """
    return [*_make_iso(volume_id), *_common_arguments(job)]


def customised_iso_argv(
    source: Path,
    destination: Path,
    *,
    kernel_arguments: Sequence[str] = (),
    remove_arguments: Sequence[str] = (),
    added: Sequence[Path] = (),
    volume_id: str = "",
    rebuild_efi: bool = False,
) -> list[str]:
    """Have mkksiso copy an ISO with other kernel arguments and added files.

    The menu inside the image that UEFI machines start from changes with `rebuild_efi` alone: it mounts vfat.
    """
    changes = []
    if kernel_arguments:
        changes.append(f"--cmdline={' '.join(kernel_arguments)}")
    if remove_arguments:
        changes.append(f"--rm-args={' '.join(remove_arguments)}")
    if volume_id:
        changes.append(f"--volid={volume_id}")
    if not (changes or added):
        raise VirtnodeError(Code.INVALID, "mkksiso needs something to change", "give arguments or files")
    additions = [f"--add={path}" for path in added]
    untouched = [] if rebuild_efi else ["--skip-mkefiboot"]
    return ["mkksiso", *untouched, *changes, *additions, str(source), str(destination)]


def _make_iso(volume_id: str) -> list[str]:
    return ["livemedia-creator", "--make-iso", f"--volid={volume_id}", "--nomacboot"]


def _common_arguments(job: LoraxJob) -> list[str]:
    arguments = [
        f"--fs-image={job.filesystem_image}",
        f"--ks={job.kickstart}",
        f"--resultdir={job.result_directory}",
        f"--tmp={job.workspace}",
        f"--logfile={job.workspace / 'livemedia.log'}",
        f"--project={job.product}",
        f"--releasever={job.release}",
        "--compression=xz",
        *(f"--compress-arg={word}" for word in SQUASHFS_OPTIONS),
        # Last, for it takes all words after it.
        *(f"--compress-arg={word}" for word in ("-wildcards", "-e", *job.left_out)),
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
