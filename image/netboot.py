"""Serving a `pxe` folder: the address its boot scripts name, and the HTTP server behind it."""

import contextlib
import functools
import http.server
import logging
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

ADDRESSES = {
    "boot.ipxe": r"(?<=set base )\S+",
    "grub.cfg": r"(?<=set base=)[^\s;]+",
    "grub/grub.cfg": r"(?<=set base=)[^\s;]+",
    "pxelinux.cfg/default": r"(?<=root=live:)\S+(?=/rootfs\.squashfs)",
}
"""Where each boot script names the address that the folder is served at; iPXE and GRUB can ask for their
server's by themselves, PXELINUX cannot."""


def set_pxe_url(folder: Path, url: str) -> tuple[Path, ...]:
    """Make a `pxe` folder's boot scripts load from `url`, and return the scripts that were changed.

    Raises VirtnodeError (not-found) when no script names an address.
    """
    changed = []
    for name, address in ADDRESSES.items():
        script = folder / name
        if not script.exists():
            continue
        text, count = re.subn(address, lambda _: url.rstrip("/"), script.read_text())
        if count:
            script.unlink()  # the copy may share its data with the original
            script.write_text(text)
            changed.append(script)
    if not changed:
        raise VirtnodeError(Code.NOT_FOUND, f"no boot script below {folder} names an address to load from")
    return tuple(changed)


def copy_pxe(folder: Path, destination: Path, url: str) -> None:
    """Copy a `pxe` folder, large files as hard links where that is possible, and set its address."""
    shutil.copytree(folder, destination, copy_function=_link)
    set_pxe_url(destination, url)


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copyfile(source, destination)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Tell what was asked for to the log, not to standard error."""
        logger.debug("HTTP: " + format, *args)


@contextlib.contextmanager
def serve_folder(folder: Path) -> Iterator[int]:
    """Serve a folder by HTTP on a free port of the loopback address, and give the port."""
    with _Server(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, name="pxe-http", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
