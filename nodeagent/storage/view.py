"""Storage that is no plain disk, as the kernel and multipathd show it."""

from pathlib import Path

from nodeagent.facts.sources import Command, names_in, read_number, read_table, read_text, tables, text_of
from nodelib.bus_storage import IscsiSession, Multipath, StorageView

MULTIPATH_COMMAND = ("multipathd", "show", "maps", "json")
BLOCK = "sys/class/block"
SESSIONS, CONNECTIONS = "sys/class/iscsi_session", "sys/class/iscsi_connection"
INITIATOR = "etc/iscsi/initiatorname.iscsi"
SECTOR = 512
MULTIPATH_UUID = "mpath-"


def collect_storage(root: Path, command: Command) -> StorageView:
    """Describe multipath disks, iSCSI sessions and the initiator."""
    maps = find_maps(root)
    told: tuple[Multipath, ...] = ()
    problems: list[str] = []
    if (root / "run/multipathd.socket").exists() or (root / "run/multipathd.pid").exists() or maps:
        text = command(MULTIPATH_COMMAND)
        told = read_maps(root, text)
        if not text.strip():
            problems.append("multipathd does not answer; the state of paths is not known")
    known = {one.name for one in told}
    return StorageView(
        initiator=read_initiator(root),
        multipaths=(*told, *(one for one in maps if one.name not in known)),
        sessions=find_sessions(root),
        problems=tuple(problems),
    )


def read_maps(root: Path, text: str) -> tuple[Multipath, ...]:
    """Read `multipathd show maps json`; sizes are the kernel's."""
    return tuple(
        Multipath(
            name=text_of(one, "name"),
            wwid=text_of(one, "uuid"),
            size_bytes=_size(root, text_of(one, "sysfs")),
            paths=tuple(
                _path_line(path) for group in tables(one.get("path_groups")) for path in _paths(group)
            ),
        )
        for one in tables(read_table(text).get("maps"))
        if text_of(one, "name")
    )


def find_maps(root: Path) -> tuple[Multipath, ...]:
    """Find multipath disks by the kernel's device-mapper alone: their paths have names and no state."""
    found = []
    for disk in names_in(root / BLOCK):
        uuid = read_text(root / BLOCK / disk / "dm/uuid") if disk.startswith("dm-") else ""
        if uuid.startswith(MULTIPATH_UUID):
            name = read_text(root / BLOCK / disk / "dm/name") or disk
            paths = tuple(names_in(root / BLOCK / disk / "slaves"))
            found.append(Multipath(name, uuid.removeprefix(MULTIPATH_UUID), _size(root, disk), paths))
    return tuple(found)


def find_sessions(root: Path) -> tuple[IscsiSession, ...]:
    """Find the logins that are in force, each with the disks that it brings."""
    portals = {_number_of(name): _portal(root / CONNECTIONS / name) for name in names_in(root / CONNECTIONS)}
    return tuple(
        IscsiSession(
            target=read_text(root / SESSIONS / name / "targetname"),
            portal=portals.get(name.removeprefix("session"), ""),
            disks=_disks(root / SESSIONS / name / "device"),
        )
        for name in names_in(root / SESSIONS)
        if read_text(root / SESSIONS / name / "targetname")
    )


def read_initiator(root: Path) -> str:
    """Read this node's iSCSI name; empty where there is none yet."""
    lines = read_text(root / INITIATOR).splitlines()
    found = [line.partition("=")[2].strip() for line in lines if line.startswith("InitiatorName=")]
    return found[0] if found else ""


def _number_of(connection: str) -> str:
    return connection.removeprefix("connection").partition(":")[0]


def _portal(folder: Path) -> str:
    host = read_text(folder / "persistent_address") or read_text(folder / "address")
    port = read_number(folder / "persistent_port") or read_number(folder / "port")
    if not host or not port:
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _disks(device: Path) -> tuple[str, ...]:
    units = sorted(path for path in device.glob("target*/*:*:*:*/block/*") if path.is_dir())
    return tuple(path.name for path in units)


def _paths(group: dict[str, object]) -> list[dict[str, object]]:
    return tables(group.get("paths"))


def _path_line(path: dict[str, object]) -> str:
    words = (text_of(path, "dev"), text_of(path, "dm_st"), text_of(path, "chk_st"))
    return " ".join(word for word in words if word)


def _size(root: Path, disk: str) -> int:
    return (read_number(root / BLOCK / disk / "size") or 0) * SECTOR if disk else 0
