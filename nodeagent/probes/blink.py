"""A port that shows which one it is: its light blinks."""

import array
import errno
import fcntl
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from nodeagent.network.presence import absence, check_presence
from nodelib.errors import Code, InvalidInput, VirtnodeError

SIOCETHTOOL = 0x8946
PHYSICAL_IDENTIFICATION = 0x1C
"""ETHTOOL_PHYS_ID: the call returns once the light has blinked for as many seconds as it was told."""
LONGEST = 60
PATIENCE = 0.5
"""Seconds in which a driver says that it cannot."""


def blink(name: str, seconds: int) -> None:
    """Let a port's light blink; returns when it has. Raises OSError."""
    command = array.array("B", struct.pack("II", PHYSICAL_IDENTIFICATION, seconds))
    request = struct.pack("16sP", name.encode(), command.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request.ljust(40, b"\0"))


def start_blinking(root: Path, name: str, seconds: int, *, blink: Callable[[str, int], None] = blink) -> None:
    """Begin to blink, and return while it goes on; raises VirtnodeError where there is nothing to blink."""
    if not 1 <= seconds <= LONGEST:
        raise InvalidInput([f"{seconds} s is no time to blink"], f"1 to {LONGEST} seconds are allowed")
    check_presence(root, name)
    ended: Future[None] = Future()

    def work() -> None:
        try:
            blink(name, seconds)
        except OSError as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=work, name="blink", daemon=True).start()
    try:
        ended.result(PATIENCE)
    except TimeoutError:
        return
    except OSError as error:
        raise _explain(name, error) from error


def _explain(name: str, error: OSError) -> VirtnodeError:
    if error.errno == errno.ENODEV:
        return absence(name)
    if error.errno == errno.EBUSY:
        return VirtnodeError(Code.BUSY, "a port blinks already", "wait until it has ended")
    if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL):
        hint = "virtual ports have no light; of others, pull the cable and see which link goes down"
        return VirtnodeError(Code.FAILED, f"the driver of {name} cannot blink", hint)
    return VirtnodeError(Code.FAILED, f"{name} cannot blink: {error.strerror or error}")
