"""What a setting can be: the keyboard layouts and time zones that this image has."""

from pathlib import Path

KEYMAPS = ("usr/share/keymaps", "usr/lib/kbd/keymaps", "usr/share/kbd/keymaps")
ENDINGS = (".map.gz", ".map.xz", ".map.zst", ".map", ".kmap.gz", ".kmap")
ZONES = "usr/share/zoneinfo"
NO_ZONES = ("posix", "right")
"""Folders that hold every zone once more."""


def list_keymaps(root: Path) -> tuple[str, ...]:
    """Name the keyboard layouts in order; none where the image has no files of them."""
    files = (path.name for folder in KEYMAPS for path in (root / folder).rglob("*map*") if path.is_file())
    return tuple(sorted({name for name in map(_layout, files) if name}))


def _layout(name: str) -> str:
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), "")


def list_timezones(root: Path) -> tuple[str, ...]:
    """Name the time zones in order, by the files that are there."""
    folder = root / ZONES
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in NO_ZONES and name.parts[0][0].isupper() and _is_zone(path):
            found.append(str(name))
    return tuple(sorted(found))


def _is_zone(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"TZif"
    except OSError:
        return False
