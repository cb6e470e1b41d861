"""FAT file systems made without mounting them, the same bytes every time."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nodelib.run import run

CLUSTER_SLACK = 1.05
"""What FAT itself takes, as a factor on the content."""


def make_fat(
    path: Path,
    files: Mapping[str, Path],
    *,
    label: str,
    epoch: int,
    size: int | None = None,
    serial: int | None = None,
) -> None:
    """Make a FAT file system with `files` (name inside → source); `size` in bytes, else just enough.

    `serial` is what it is found by: 32 bits, those of the time unless they are given.
    """
    content = sum(source.stat().st_size for source in files.values())
    kibibytes = (size or int(content * CLUSTER_SLACK) + 512 * 1024) // 1024
    identifier = f"{(epoch if serial is None else serial) & 0xFFFFFFFF:08x}"
    path.unlink(missing_ok=True)
    run(["mkfs.vfat", "--invariant", "-n", label, "-i", identifier, "-C", path, str(kibibytes)])
    environment = {"SOURCE_DATE_EPOCH": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}
    folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
    for folder in sorted(folders):
        run(["mmd", "-i", path, f"::{folder}"], env=environment)
    with tempfile.TemporaryDirectory(prefix="fat-", dir=path.parent) as folder:
        dated = Path(folder) / "file"
        for name, source in sorted(files.items()):
            # The time is set on a copy, for the source may belong to another build as well.
            shutil.copyfile(source, dated)
            os.utime(dated, (epoch, epoch))
            run(["mcopy", "-m", "-o", "-i", path, dated, f"::{name}"], env=environment)
