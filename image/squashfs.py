"""The root as a squashfs: small for a release, quick for whoever develops."""

from pathlib import Path

from image.plan import Profile
from nodelib.run import run

COMPRESSION = {
    # One block of 1 MiB is as much as squashfs has; the filter knows x86's jumps.
    Profile.RELEASE: ("-comp", "xz", "-b", "1M", "-Xbcj", "x86", "-Xdict-size", "100%"),
    Profile.DEV: ("-comp", "zstd", "-b", "128K", "-Xcompression-level", "1"),
}


def mksquashfs_argv(root: Path, output: Path, profile: Profile, epoch: int) -> list[str | Path]:
    """Build mksquashfs's command line: the same tree gives the same bytes."""
    argv: list[str | Path] = [
        "mksquashfs",
        root,
        output,
        "-noappend",
        "-quiet",
        "-no-progress",
        "-no-exports",
    ]
    return [*argv, "-mkfs-time", str(epoch), "-all-time", str(epoch), *COMPRESSION[profile]]


def make_squashfs(root: Path, output: Path, profile: Profile, epoch: int) -> None:
    """Compress `root` into `output`, labels and capabilities included."""
    # mksquashfs refuses its time options beside the variable that means the same.
    run(mksquashfs_argv(root, output, profile, epoch), env={"SOURCE_DATE_EPOCH": None})
