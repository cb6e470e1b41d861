"""Make the pictures of the README by booting a build: python docs/make_images.py [ARTEFACT]."""

import argparse
import contextlib
import logging
import select
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.accelerator import choose_accelerator
from image.attachment import attach, find_bootable
from image.firmware import Firmware
from image.medium import Kind
from image.qemu import Machine, Port, Socket, qemu_command
from image.verify.inquiry import PORT
from image.verify.node import NodeSockets, RunningNode, dump_screen, start_node
from nodelib.errors import Code, VirtnodeError, exit_status

logger = logging.getLogger(__name__)

IMAGES = Path(__file__).parent / "images"
MENU_SIGNS = (b"Rescue shell", b"executed automatically")
"""What the serial line, which shows the same as the screen, has once GRUB's menu is drawn."""
CONSOLE_SIGNS = (b"10.0.2.15", b"SHA256:", b"VMs running", b"No problems")
"""What it has once the console knows the node: both show the same, each on its own terminal."""
MENU_SECONDS, CONSOLE_SECONDS = 60.0, 600.0
QUIET_SECONDS = 5.0
"""How long the serial line says nothing once the screen is finished."""
LARGEST = 20_000
"""Bytes; a picture in a README is downloaded by everybody."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write boot-menu.png and tty1.png; return the exit status."""
    parser = argparse.ArgumentParser(description="Make the pictures of the README.")
    parser.add_argument("artefact", type=Path, nargs="?", default=Path("out"))
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    try:
        iso = find_bootable(parser.parse_args(argv).artefact)[Kind.ISO]
        IMAGES.mkdir(exist_ok=True)
        take_picture(iso, IMAGES / "boot-menu.png", MENU_SIGNS, seconds=MENU_SECONDS, quiet=0)
        take_picture(iso, IMAGES / "tty1.png", CONSOLE_SIGNS, seconds=CONSOLE_SECONDS, quiet=QUIET_SECONDS)
    except VirtnodeError as error:
        logger.error("error: %s", error.message)
        return exit_status(error.code)
    return 0


def take_picture(iso: Path, picture: Path, signs: Sequence[bytes], *, seconds: float, quiet: float) -> None:
    """Boot the ISO, and write its screen when all signs were seen and the console is quiet."""
    with boot(iso) as node:
        await_signs(node, signs, time.monotonic() + seconds, quiet)
        dump_screen(node, picture)
    size = picture.stat().st_size
    if size > LARGEST:
        raise VirtnodeError(Code.FAILED, f"{picture} has {size} bytes; {LARGEST} are allowed")
    logger.info("%s: %d bytes", picture, size)


@contextlib.contextmanager
def boot(iso: Path) -> Iterator[RunningNode]:
    """Start a machine with BIOS and the ISO as its CD."""
    with tempfile.TemporaryDirectory(prefix="virtnode-") as name:
        folder = Path(name)
        sockets = NodeSockets(folder)
        with attach(iso, folder, firmware=Firmware.BIOS) as attachment:
            machine = Machine(
                drives=attachment.drives,
                network=attachment.network,
                serial=Socket(sockets.console),
                ports=(Port(PORT, Socket(sockets.report)),),
                qmp=Socket(sockets.qmp),
                may_reboot=False,
            )
            command = qemu_command(machine, accelerator=choose_accelerator())
            with start_node(command, sockets, folder / "qemu.log") as node:
                yield node


def await_signs(node: RunningNode, signs: Sequence[bytes], deadline: float, quiet: float) -> None:
    """Read the console until every sign was seen and nothing came for `quiet` seconds."""
    said = b""
    while (left := deadline - time.monotonic()) > 0:
        is_seen = all(sign in said for sign in signs)
        if is_seen and not quiet:
            return
        ready, _, _ = select.select([node.console], [], [], min(left, quiet) if is_seen else left)
        if not ready and is_seen:
            return
        data = node.console.recv(1 << 16) if ready else b""
        if ready and not data:
            raise VirtnodeError(Code.FAILED, "the machine ended before its picture was taken")
        said += data
    missing = ", ".join(sign.decode() for sign in signs if sign not in said)
    raise VirtnodeError(Code.FAILED, f"the console did not show {missing or 'silence'}: {said[-300:]!r}")


if __name__ == "__main__":
    sys.exit(main())
