"""Disks, and what is on them in a person's words, from lsblk and udev's links."""

from pathlib import Path

from nodeagent.facts.sources import Command, names_in, number_of, read_link_name, read_table, tables, text_of
from nodelib.facts import Disk

COLUMNS = "NAME,TYPE,SIZE,MODEL,SERIAL,ROTA,TRAN,PTTYPE,FSTYPE,LABEL"
LSBLK_COMMAND = ("lsblk", "--json", "--bytes", "--output", COLUMNS)
BY_PATH = "dev/disk/by-path"
NO_DISKS = ("zram", "ram", "loop", "fd", "nbd")
"""Devices that lsblk calls disks and that hold nothing over a restart."""


def collect_disks(root: Path, command: Command) -> tuple[Disk, ...]:
    """Describe every disk that has a size."""
    paths = _stable_paths(root)
    return tuple(
        _read_disk(device, paths)
        for device in tables(read_table(command(LSBLK_COMMAND)).get("blockdevices"))
        if text_of(device, "type") == "disk"
        and number_of(device, "size") > 0
        and not text_of(device, "name").startswith(NO_DISKS)
    )


def _read_disk(device: dict[str, object], paths: dict[str, str]) -> Disk:
    name = text_of(device, "name")
    return Disk(
        name=name,
        path=paths.get(name, ""),
        model=text_of(device, "model"),
        serial=text_of(device, "serial"),
        size_bytes=number_of(device, "size"),
        rotational=device.get("rota") in (True, 1, "1"),
        bus=text_of(device, "tran"),
        holds=tuple(_contents(device)),
    )


def _contents(device: dict[str, object]) -> list[str]:
    """Say what is on a device, then on its partitions and on what they make up."""
    found = []
    children = tables(device.get("children"))
    # A partition repeats the table that it is in.
    if text_of(device, "pttype") and text_of(device, "type") != "part":
        found.append(f"{text_of(device, 'pttype')} partition table")
    if text_of(device, "fstype"):
        label = text_of(device, "label")
        found.append(f'{text_of(device, "fstype")} "{label}"' if label else text_of(device, "fstype"))
    for child in children:
        found += _contents(child)
    return found


def _stable_paths(root: Path) -> dict[str, str]:
    """Map devices to their first name below /dev/disk/by-path."""
    paths: dict[str, str] = {}
    for name in names_in(root / BY_PATH):
        paths.setdefault(read_link_name(root / BY_PATH / name), f"/{BY_PATH}/{name}")
    return paths
