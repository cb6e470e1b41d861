"""The router on the way to the engine, and whether it answers, from the kernel's own tables."""

import contextlib
import socket
import time
from collections.abc import Callable

from nodeagent.facts.sources import Command, CommandRunner, read_list, text_of
from nodeagent.ladder_checks import Gateway

ANSWERING = {"REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT", "NOARP"}
"""States of a neighbour that answered when it was last asked."""
DISCARD_PORT = 9
PATIENCE = 2.0
"""Seconds that a neighbour may take."""


def provoke(address: str) -> None:
    """Make the kernel ask who has an address: one datagram to a port that nobody listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"\0", (address, DISCARD_PORT))


class GatewayFinder:
    """Looks routes and neighbours up."""

    def __init__(
        self,
        command: Command | None = None,
        *,
        provoke: Callable[[str], None] = provoke,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._command = command or CommandRunner()
        self._provoke = provoke
        self._wait = wait

    def find(self, target: str | None) -> Gateway | None:
        """Find the gateway to an address, or for None the default one; None where there is no way."""
        routes = self._routes_to(target) if target else self._default_routes()
        if not routes:
            return None
        via = [route for route in routes if text_of(route, "gateway")]
        if not via:
            return Gateway()
        found = [Gateway(text_of(route, "gateway"), text_of(route, "dev"), False) for route in via]
        for gateway in found:
            if self._answers(gateway):
                return Gateway(gateway.address, gateway.interface, True)
        return found[0]

    def find_defaults(self) -> tuple[Gateway, ...]:
        """Find the default routers of both families, each with whether it answers."""
        routes = {(text_of(route, "gateway"), text_of(route, "dev")) for route in self._default_routes()}
        found = [Gateway(address, link, False) for address, link in sorted(routes) if address]
        return tuple(Gateway(one.address, one.interface, self._answers(one)) for one in found)

    def _routes_to(self, target: str) -> list[dict[str, object]]:
        return read_list(self._command(("ip", "-json", "route", "get", target)))

    def _default_routes(self) -> list[dict[str, object]]:
        return [
            route
            for family in ("-4", "-6")
            for route in read_list(self._command(("ip", "-json", family, "route", "show", "default")))
        ]

    def _answers(self, gateway: Gateway) -> bool:
        if self._states(gateway) & ANSWERING:
            return True
        self._provoke(gateway.address)
        for _ in range(10):
            self._wait(PATIENCE / 10)
            states = self._states(gateway)
            if states & ANSWERING:
                return True
            if "FAILED" in states:
                return False
        return False

    def _states(self, gateway: Gateway) -> set[str]:
        shown = read_list(self._command(("ip", "-json", "neighbour", "show", "dev", gateway.interface)))
        states = [entry.get("state") for entry in shown if text_of(entry, "dst") == gateway.address]
        return {str(state) for found in states if isinstance(found, list) for state in found}
