"""What the running image says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import read_text
from nodelib.update_bundle import PACKAGE_LIST

OS_RELEASE = "usr/lib/os-release"


@dataclass(frozen=True)
class RunningImage:
    """What runs now."""

    product: str
    version: str
    build_id: str
    architecture: str
    packages: Mapping[str, str]


def read_running(root: Path) -> RunningImage:
    """Read what the running image says of itself."""
    lines = (line.partition("=") for line in read_text(root / OS_RELEASE).splitlines())
    fields = {name: value.strip().strip('"') for name, _, value in lines}
    return RunningImage(
        fields.get("IMAGE_ID", "virtnode"),
        fields.get("IMAGE_VERSION", "") or fields.get("VERSION_ID", ""),
        fields.get("BUILD_ID", ""),
        read_text(root / "proc/sys/kernel/arch"),
        read_packages(root),
    )


def read_packages(root: Path) -> dict[str, str]:
    """Read what the running image was made of: versions by name; nothing where the image does not say."""
    rows = (line.split(" ", 1) for line in read_text(root / PACKAGE_LIST).splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}
