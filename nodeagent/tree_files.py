"""The files of a root tree, read and put in place whole."""

import base64
import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from nodeagent.changes import FileState
from nodeagent.durable import remove_durably, sync_folder, write_durably
from nodelib.errors import Code, VirtnodeError

ABSENT = FileState()
SELINUX = "security.selinux"


def text_file(text: str, mode: int = 0o644) -> FileState:
    """Describe a file of root's with this text."""
    return FileState(content=base64.b64encode(text.encode()).decode(), mode=mode)


def symlink(target: str) -> FileState:
    """Describe a symlink of root's."""
    return FileState(content=target, link=True, mode=0o777)


class TreeFiles:
    """Reads and replaces what is below a root; paths have no leading slash."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def state(self, path: str) -> FileState:
        """Say what is at a path; raises VirtnodeError (conflict) where it is neither file nor symlink."""
        place = self.root / path
        try:
            found = place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        # Who may not give files away need not look at whose they are.
        uid, gid = (found.st_uid, found.st_gid) if os.geteuid() == 0 else (0, 0)
        if stat.S_ISLNK(found.st_mode):
            return FileState(content=str(place.readlink()), link=True, mode=0o777, uid=uid, gid=gid)
        if not stat.S_ISREG(found.st_mode):
            raise VirtnodeError(
                Code.CONFLICT, f"/{path} is neither a file nor a symlink", "move it out of the way"
            )
        content = base64.b64encode(place.read_bytes()).decode()
        return FileState(content=content, mode=stat.S_IMODE(found.st_mode), uid=uid, gid=gid)

    def text(self, path: str) -> str:
        """Read a file, following symlinks; empty where there is none."""
        try:
            return (self.root / path).read_text(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def exists(self, path: str) -> bool:
        """Tell whether something is at a path."""
        return os.path.lexists(self.root / path)

    def names(self, folder: str, pattern: str) -> tuple[str, ...]:
        """List the paths in a folder that match a pattern."""
        return tuple(str(path.relative_to(self.root)) for path in sorted((self.root / folder).glob(pattern)))

    def put(self, path: str, state: FileState) -> None:
        """Make a path be as described, in one step and durably; folders above it are made.

        Raises VirtnodeError (failed) where the file system does not let us.
        """
        with _writing(path):
            self._put(path, state)

    def _put(self, path: str, state: FileState) -> None:
        place = self.root / path
        if state.content is None and not place.parent.is_dir():
            return
        self._make_folders(path)
        label = _read_label(place)
        fresh = place.with_name(f".{place.name}.new")
        fresh.unlink(missing_ok=True)
        if state.content is None:
            remove_durably(place)
        elif state.link:
            fresh.symlink_to(state.content)
            fresh.rename(place)
            sync_folder(place.parent)
        else:
            write_durably(place, state.data, mode=state.mode)
        if state.content is not None and os.geteuid() == 0:
            os.chown(place, state.uid, state.gid, follow_symlinks=False)
        if label and not state.link and state.content is not None:
            with contextlib.suppress(OSError):
                os.setxattr(place, SELINUX, label)

    def discard_unfinished(self, path: str) -> None:
        """Remove what an interrupted `put` left beside a path."""
        place = self.root / path
        with _writing(path):
            place.with_name(f".{place.name}.new").unlink(missing_ok=True)

    def missing_folders(self, path: str) -> tuple[str, ...]:
        """List the folders that `put` would make for a path, the innermost first."""
        parents = [parent for parent in Path(path).parents if str(parent) != "."]
        return tuple(str(parent) for parent in parents if not (self.root / parent).is_dir())

    def _make_folders(self, path: str) -> None:
        """Make what is missing above a path, for everybody to read whatever this process's mask says.

        Services that read their configuration without root's rights find nothing in a folder of root's own.
        """
        for folder in reversed(self.missing_folders(path)):
            (self.root / folder).mkdir(exist_ok=True)
            (self.root / folder).chmod(0o755)

    def remove_folder(self, path: str) -> None:
        """Remove a folder if it is there and empty."""
        with contextlib.suppress(OSError):
            (self.root / path).rmdir()


def _read_label(place: Path) -> bytes:
    """Read the SELinux label of a file, which would not be that of a new one in the same folder."""
    try:
        return b"" if place.is_symlink() else os.getxattr(place, SELINUX)
    except OSError:
        return b""


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise VirtnodeError(
            Code.FAILED, f"/{path} cannot be written: {error.strerror}", "is the disk full, or read-only?"
        ) from error
