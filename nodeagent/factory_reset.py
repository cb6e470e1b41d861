"""Forget all that was decided on this node: asked for now, done at the next start before anything reads it.

Removing files takes time, and power may fail in the midst of it. So one small file is written first, in one
step: without it the node is as it was, with it everything goes at the next start, however often that fails.
"""

import logging
import shutil
from pathlib import Path

from nodeagent.durable import remove_durably, sync_folder, write_durably
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

STATE = "var/lib/virtnode"
MARK = "reset"
KEPT = ("lost+found", "installed")
"""What belongs to the file system itself, and what the medium said that this node was installed from."""


def ask_for_reset(root: Path) -> None:
    """Have everything forgotten at the next start; raises VirtnodeError where that cannot be kept."""
    try:
        write_durably(root / STATE / MARK, b"")
    except OSError as error:
        raise VirtnodeError(
            Code.FAILED,
            f"the reset cannot be noted: {error.strerror}",
            "is the state disk full, or read-only?",
        ) from error


def take_back_reset(root: Path) -> None:
    """Leave everything as it is after all."""
    remove_durably(root / STATE / MARK)


def finish_reset(state: Path) -> bool:
    """Empty the state folder if that was asked for, and tell whether it was; raises OSError."""
    if not (state / MARK).exists():
        return False
    for path in sorted(state.iterdir()):
        if path.name == MARK or path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    sync_folder(state)
    remove_durably(state / MARK)
    logger.info("the node was reset: all that was decided on it is gone")
    return True
