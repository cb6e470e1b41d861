"""SELinux labels: put on the finished root by the root's own tool and policy, whatever the host has."""

from pathlib import Path

from image.chroot import run_in_root
from nodelib.errors import Code, VirtnodeError

POLICY = "etc/selinux/targeted"
FILE_CONTEXTS = f"/{POLICY}/contexts/files/file_contexts"
SETFILES = "/usr/sbin/setfiles"
TREE = "/run/tree"
"""Where the root is seen a second time, without what is mounted over its /proc, /dev, /run and /tmp."""


def label_root(root: Path) -> None:
    """Label every file of `root` as its policy says; a root without a policy stays as it is."""
    if not (root / POLICY).is_dir():
        return
    if not (root / SETFILES.lstrip("/")).exists():
        raise VirtnodeError(
            Code.NOT_FOUND,
            "the root has an SELinux policy, and no setfiles to label its files with",
            "name policycoreutils in %packages, and let no trim rule drop it",
        )
    run_in_root(root, setfiles_argv(), binds=[(root, TREE)])


def setfiles_argv() -> list[str]:
    """Build the command that labels the tree, as it is called inside the root.

    A host without SELinux says of no mount that it takes labels; `-m` keeps setfiles from asking.
    """
    return [SETFILES, "-m", "-F", "-r", TREE, FILE_CONTEXTS, TREE]
