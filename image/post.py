"""Run a kickstart's %post sections, in the root or beside it."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from image.chroot import run_in_root
from image.config import Script
from image.rootpath import RootPaths
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, run

logger = logging.getLogger(__name__)


def run_post_scripts(scripts: Sequence[Script], root: Path) -> None:
    """Run every script in order; one that fails stops the build if it says `--erroronfail`, else warns.

    A script outside the root finds it in $INSTALL_ROOT, as with other kickstart installers.
    """
    for script in scripts:
        result = _run_inside(script, root) if script.chroot else _run_outside(script, root)
        if script.log:
            log = _inside(root, script.log) if script.chroot else Path(script.log)
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(result.stdout + result.stderr)
        if result.status != 0:
            _complain(script, result)


def _inside(root: Path, path: str) -> Path:
    """Resolve a path as the root sees it: an absolute link inside, as /var/run is, leads nowhere else."""
    paths = RootPaths(root)
    return Path(paths.host(paths.resolve(path)))


def _run_inside(script: Script, root: Path) -> Result:
    with tempfile.TemporaryDirectory(prefix="virtnode-post-") as folder:
        path = Path(folder) / "script"
        path.write_text(script.text)
        argv = [*script.interpreter.split(), "/run/post/script"]
        return run_in_root(root, argv, binds=[(Path(folder), "/run/post")], check=False)


def _run_outside(script: Script, root: Path) -> Result:
    with tempfile.NamedTemporaryFile("w", prefix="virtnode-post-") as file:
        file.write(script.text)
        file.flush()
        return run([*script.interpreter.split(), file.name], env={"INSTALL_ROOT": str(root)}, check=False)


def _complain(script: Script, result: Result) -> None:
    said = (result.stderr or result.stdout).strip().splitlines()
    message = f"{script.origin}: %post ended with status {result.status}{': ' + said[-1] if said else ''}"
    if script.error_on_fail:
        raise VirtnodeError(
            Code.FAILED, message, "mend the script, or drop --erroronfail to build all the same"
        )
    logger.warning("%s", message)
