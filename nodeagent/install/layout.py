"""The layout of a disk that a node is installed on, read from its partition table."""

import json
from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.slots import MEBIBYTE, SECTOR, SLOT_A, UNFINISHED, Region

Layout = tuple[tuple[Region, ...], dict[str, str]]
"""The partitions of a disk, and their identifiers."""


def read_layout(device: Path) -> Layout:
    """Read the layout of a disk that a node is installed on; raises VirtnodeError (conflict) for another."""
    table = json.loads(run(["sfdisk", "--json", device]).stdout)["partitiontable"]
    regions, identifiers = [], {"disk": str(table.get("id", ""))}
    for part in table.get("partitions", ()):
        name = SLOT_A if part.get("name") == UNFINISHED else str(part.get("name", ""))
        start, size = (part[key] * SECTOR // MEBIBYTE for key in ("start", "size"))
        regions.append(Region(name, str(part["type"]), start, size))
        identifiers[name] = str(part.get("uuid", ""))
    if not {"bios", "esp", "virtnode-a", "virtnode-state"} <= set(identifiers):
        raise VirtnodeError(Code.CONFLICT, f"{device} has not the layout of a node", "install without --keep")
    return tuple(regions), identifiers
