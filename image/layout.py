"""Files of this checkout as they belong in a root: whose checkout it was does not show."""

import fnmatch
import shutil
from collections.abc import Sequence
from pathlib import Path


def lay_tree(source: Path, target: Path, *, ignored: Sequence[str] = ()) -> None:
    """Copy a folder's files to `target`, over what is there; `ignored` are patterns of names.

    Git knows of a file's mode only whether it is a program: files become 0755 or 0644, new folders 0755.
    """
    if not target.is_dir():
        target.mkdir(parents=True)
        target.chmod(0o755)
    for path in sorted(source.iterdir()):
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir() and not path.is_symlink():
            lay_tree(path, target / path.name, ignored=ignored)
        else:
            lay_file(path, target / path.name)


def lay_file(source: Path, target: Path) -> None:
    """Copy one file or link to `target`, never through a link that is there already."""
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)
    if not target.is_symlink():
        target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def forget_password_dates(root: Path) -> None:
    """Say of no password when it was set: it was on the day of the build, which is not part of the plan."""
    shadow = root / "etc/shadow"
    rows = [line.split(":") for line in shadow.read_text().splitlines()]
    shadow.write_text("".join(f"{':'.join([*row[:2], '', *row[3:]])}\n" for row in rows))
