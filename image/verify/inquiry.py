"""What a node is asked: a unit and a script that reach it as credentials of the virtual machine."""

import base64
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

PORT = "org.virtnode.verify"
"""The virtio-serial port that the node answers through."""

SAME_ADDRESSES = {"sysctl.extra": "kernel.randomize_va_space = 0\n"}
"""A credential that keeps programs at the same addresses.

An emulator keeps a translation of a program for each address that it ever ran at. With many of them a start
takes twice as long, and may stand still for half a minute when memory that programs were in is used again.
"""

PATIENCE = 240
"""How many seconds the node itself waits for its start, for libvirt, and for a guest."""


def inquiry(*, guest: bool, patience: int = PATIENCE) -> dict[str, str]:
    """Return the credentials that make a node with systemd 256 or newer write its report; text by name."""
    folder = resources.files(__package__)
    unit = (folder / "inquiry.service").read_text()
    unit = unit.replace("@PATIENCE@", str(patience)).replace("@GUEST@", "guest" if guest else "node")
    return {
        "virtnode-verify.sh": (folder / "inquiry.sh").read_text(),
        **unit_credentials("virtnode-verify.service", unit),
    }


def unit_credentials(name: str, unit: str) -> dict[str, str]:
    """Return the credentials that add a unit to a node and start it with multi-user.target."""
    stem = name.rpartition(".")[0]
    return {
        f"systemd.extra-unit.{name}": unit,
        f"systemd.unit-dropin.multi-user.target~{stem}": f"[Unit]\nWants={name}\n",
    }


def write_credentials(credentials: Mapping[str, str], folder: Path) -> tuple[Path, ...]:
    """Write each credential as a file that holds one SMBIOS type 11 string."""
    files = []
    for number, (name, text) in enumerate(credentials.items()):
        file = folder / f"credential-{number}"
        encoded = base64.b64encode(text.encode()).decode()
        file.write_text(f"io.systemd.credential.binary:{name}={encoded}")
        files.append(file)
    return tuple(files)
