"""The SSH server's host keys, which stay with the node if it has a state disk."""

import logging
from pathlib import Path

from nodeagent.durable import write_durably

logger = logging.getLogger(__name__)

IN_USE = "etc/ssh"
KEPT = "var/lib/virtnode/ssh"
PATTERN = "ssh_host_*_key"


def keep_host_keys(root: Path) -> None:
    """Copy the keys that the server made to the state folder, unless some are kept already."""
    made = sorted((root / IN_USE).glob(PATTERN))
    if not made or any((root / KEPT).glob(PATTERN)):
        return
    (root / KEPT).mkdir(parents=True, exist_ok=True)
    (root / KEPT).chmod(0o700)
    for path in made:
        write_durably(root / KEPT / path.name, path.read_bytes())
        public = path.with_name(f"{path.name}.pub")
        if public.exists():
            write_durably(root / KEPT / public.name, public.read_bytes(), mode=0o644)


def restore_host_keys(root: Path) -> None:
    """Copy kept keys to where the server looks, before it makes new ones."""
    kept = sorted((root / KEPT).glob(PATTERN))
    if kept:
        (root / IN_USE).mkdir(parents=True, exist_ok=True)
    for path in kept:
        write_durably(root / IN_USE / path.name, path.read_bytes())
        public = path.with_name(f"{path.name}.pub")
        if public.exists():
            write_durably(root / IN_USE / public.name, public.read_bytes(), mode=0o644)
