"""How storage reads: a row in a table, and the details of disks, multipath devices and iSCSI sessions."""

from nodelib.bus_storage import IscsiSession, Multipath
from nodelib.facts import Disk
from tui.details import shorten
from tui.texts import say
from tui.units import disk_size

LONGEST_NAME = 20
COLUMNS = ("name", "kind", "size", "holds")


def column_names() -> list[str]:
    """Name the table's columns."""
    return [say(f"storage.column_{name}") for name in COLUMNS]


def disk_row(disk: Disk) -> list[str]:
    """Write a disk as a row."""
    holds = ", ".join(disk.holds) or say("storage.empty")
    kind = disk.bus or say("storage.kind_disk")
    return [shorten(disk.name, LONGEST_NAME), kind, disk_size(disk.size_bytes), holds]


def multipath_row(device: Multipath) -> list[str]:
    """Write a disk of several paths as a row."""
    paths = say("storage.paths", count=len(device.paths))
    name = shorten(device.name, LONGEST_NAME)
    return [name, say("storage.kind_multipath"), disk_size(device.size_bytes), paths]


def session_row(session: IscsiSession) -> list[str]:
    """Write an iSCSI session as a row."""
    disks = ", ".join(session.disks)
    return [shorten(session.target, LONGEST_NAME), say("storage.kind_iscsi"), "", disks]


def disk_details(disk: Disk) -> list[tuple[str, str]]:
    """List what is known of a disk."""
    kind = say("storage.rotating" if disk.rotational else "storage.solid", bus=disk.bus or disk.name)
    return [
        (say("storage.detail_model"), disk.model),
        (say("storage.detail_serial"), disk.serial),
        (say("storage.detail_type"), kind),
        (say("storage.detail_place"), disk.path),
        (say("storage.detail_holds"), "\n".join(disk.holds) or say("storage.empty")),
    ]


def multipath_details(device: Multipath) -> list[tuple[str, str]]:
    """List what is known of a disk of several paths."""
    return [
        (say("storage.detail_wwid"), device.wwid),
        (say("storage.detail_paths"), "\n".join(device.paths)),
    ]


def session_details(session: IscsiSession) -> list[tuple[str, str]]:
    """List what is known of an iSCSI session."""
    return [
        (say("storage.detail_target"), session.target),
        (say("storage.detail_portal"), session.portal),
        (say("storage.detail_disks"), ", ".join(session.disks) or say("storage.no_disk")),
    ]
