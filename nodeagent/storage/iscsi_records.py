"""iscsiadm's record of a target: a file in which a password is seen by root alone."""

import ipaddress
import os
from pathlib import Path

from nodeagent.dial import Endpoint, is_address
from nodelib.errors import Code, VirtnodeError

DATABASES = ("etc/iscsi/nodes", "var/lib/iscsi/nodes")
"""Debian's place and Fedora's: NODES/TARGET/HOST,PORT is a file, NODES/TARGET/HOST,PORT,GROUP has files."""
AUTHENTICATION = "node.session.auth."
REPLACED = ("authmethod", "username", "password")
END = "# END RECORD"


def find_records(root: Path, target: str, portal: Endpoint) -> tuple[Path, ...]:
    """Find the files of a target at a portal: one for each interface that it is reached by."""
    host = str(ipaddress.ip_address(portal.host)) if is_address(portal.host) else portal.host
    names = (f"{host},{portal.port}", f"{host},{portal.port},")
    found: list[Path] = []
    for database in DATABASES:
        folder = root / database / target
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name == names[0] or path.name.startswith(names[1]):
                found += sorted(path.iterdir()) if path.is_dir() else [path]
    return tuple(path for path in found if path.is_file())


def read_record(path: Path) -> str:
    """Read a record."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise VirtnodeError(Code.FAILED, f"iscsiadm's record {path.name} cannot be read: {error}") from error


def with_chap(text: str, user: str, password: str) -> str:
    """Say in a record how to log in: by CHAP, or with neither user nor password."""
    replaced = tuple(f"{AUTHENTICATION}{key}" for key in REPLACED)
    lines = [line for line in text.splitlines() if not line.startswith(replaced) and line != END]
    lines.append(f"{AUTHENTICATION}authmethod = {'CHAP' if user else 'None'}")
    if user:
        lines += [f"{AUTHENTICATION}username = {user}", f"{AUTHENTICATION}password = {password}"]
    return "".join(f"{line}\n" for line in [*lines, END])


def write_record(path: Path, text: str) -> None:
    """Replace a record; root alone reads it."""
    fresh = path.with_name(f".{path.name}.virtnode")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
    fresh.replace(path)
