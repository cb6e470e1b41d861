"""What the service manager is told over its socket: ready, alive, stopping."""

import logging
import os
import socket
from collections.abc import Mapping

logger = logging.getLogger(__name__)


class Notifier:
    """Speaks the protocol of sd_notify(3); without a service manager it says nothing."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the null byte of an abstract address.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = environment.get("WATCHDOG_USEC", "")

    @property
    def watchdog_interval(self) -> float | None:
        """Seconds between two signs of life: half of what the service manager allows; None for none."""
        return int(self._watchdog) / 2e6 if self._watchdog.isdecimal() and int(self._watchdog) else None

    def say(self, **fields: str) -> None:
        """Send fields, named as sd_notify names them."""
        if not self._address:
            return
        message = "\n".join(f"{name}={' '.join(value.split())}" for name, value in fields.items())
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as sock:
                sock.connect(self._address)
                sock.sendall(message.encode())
        except OSError as error:
            # A service manager that does not listen now must not hold the main loop up.
            logger.debug("the service manager does not listen: %s", error)
