"""Run a program inside a root tree; every mount it needs dies with it."""

from collections.abc import Sequence
from pathlib import Path

from nodelib.run import Result, run

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def chroot_argv(
    root: Path,
    argv: Sequence[str],
    *,
    binds: Sequence[tuple[Path, str]] = (),
    environment: Sequence[tuple[str, str]] = (),
) -> list[str]:
    """Build the command that runs `argv` in `root`, alone with its own /proc, /dev, /run and /tmp.

    `binds` are (host path, path in the root) pairs, writable inside.
    """
    command = ["bwrap", "--bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    for directory in ("/run", "/tmp"):
        command += ["--tmpfs", directory]
    for source, target in binds:
        command += ["--bind", str(source), target]
    command += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--cap-add", "ALL"]
    command += ["--clearenv", "--setenv", "PATH", PATH, "--setenv", "LC_ALL", "C.UTF-8", "--chdir", "/"]
    for name, value in environment:
        command += ["--setenv", name, value]
    return [*command, "--", *argv]


def run_in_root(
    root: Path,
    argv: Sequence[str],
    *,
    binds: Sequence[tuple[Path, str]] = (),
    environment: Sequence[tuple[str, str]] = (),
    stdin: str | None = None,
    check: bool = True,
) -> Result:
    """Run `argv` in `root` and return what it printed; raises as `run` does."""
    return run(chroot_argv(root, argv, binds=binds, environment=environment), stdin=stdin, check=check)
