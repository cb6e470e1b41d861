"""The system's services over D-Bus: systemd, networkd, hostnamed, timedated; and two of their tools."""

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dbus
import dbus.bus
import dbus.mainloop

from nodelib import places
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

logger = logging.getLogger(__name__)

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
JOB_SECONDS = 30.0
"""How long a unit may take to reload or restart."""
CALL_SECONDS = 25.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Place:
    """An object of a service, and the interface to speak with it."""

    service: str
    path: str
    interface: str


SYSTEMD = Place("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
NETWORKD = Place("org.freedesktop.network1", "/org/freedesktop/network1", "org.freedesktop.network1.Manager")
HOSTNAMED = Place("org.freedesktop.hostname1", "/org/freedesktop/hostname1", "org.freedesktop.hostname1")
TIMEDATED = Place("org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1")
PROPERTIES = "org.freedesktop.DBus.Properties"


class SystemdBus:
    """The services of a running system; a connection lasts for one call, so any thread may use this."""

    def __init__(
        self,
        address: str = SYSTEM_BUS,
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._address = address
        self._clock = clock
        self._pause = pause

    def set_hostname(self, name: str) -> None:
        """Let the kernel know the host name; an empty one leaves it to the system."""
        self._call(HOSTNAMED, "SetHostname", name, False)

    def set_timezone(self, zone: str) -> None:
        """Tell everybody the time zone."""
        self._call(TIMEDATED, "SetTimezone", zone, False)

    def load_keymap(self, name: str) -> None:
        """Load a keyboard layout into the kernel; where there is no screen that is no failure."""
        done = run(["loadkeys", name], check=False, timeout=CALL_SECONDS)
        if done.status:
            logger.info("the keyboard layout %s is for the next start: %s", name, done.stderr.strip())

    def reload_units(self) -> None:
        """Read the unit files again."""
        self._call(SYSTEMD, "Reload")

    def restart(self, unit: str) -> None:
        """Let a running unit read its configuration, by a reload if it can, else by a restart."""
        self._run_job("ReloadOrTryRestartUnit", unit)

    def start(self, unit: str) -> None:
        """Start a unit, or let it read its configuration if it runs."""
        self._run_job("ReloadOrRestartUnit", unit)

    def stop(self, unit: str) -> None:
        """Stop a unit; with which result it ends is its own affair."""
        self._finish_job("StopUnit", unit)

    def restart_soon(self, unit: str) -> None:
        """Ask for a restart and go on; a start that is under way is broken off and begun anew."""
        self._call(SYSTEMD, "RestartUnit", unit, "replace")

    def load_firewall(self, script: Path) -> None:
        """Run an nftables script, all of it or nothing."""
        run(["nft", "-f", script], timeout=CALL_SECONDS)

    def reload_network(self, *, gone: Sequence[str], files: Sequence[str]) -> None:
        """Delete links, let networkd read its files again, and configure links anew that use some of them."""
        for name in gone:
            # One that was never made, for want of a driver or a port, cannot be deleted.
            done = run(["networkctl", "delete", name], check=False, timeout=CALL_SECONDS)
            if done.status:
                logger.info("no link to delete: %s", name)
        if gone:
            self._wait_until_gone(gone)
        self._call(NETWORKD, "Reload")
        for link in self._links() if files else ():
            if link.file in files:
                self._call(NETWORKD, "ReconfigureLink", dbus.Int32(link.index))

    def _wait_until_gone(self, names: Sequence[str]) -> None:
        """Wait until networkd has heard that links went: it makes none anew that it believes to be there."""
        deadline = self._clock() + CALL_SECONDS
        while left := [link.name for link in self._links() if link.name in names]:
            if self._clock() > deadline:
                logger.warning("networkd still knows %s", ", ".join(left))
                return
            self._pause(POLL_SECONDS)

    def _links(self) -> "tuple[NetworkLink, ...]":
        return parse_links(str(self._call(NETWORKD, "Describe")))

    def _run_job(self, method: str, unit: str) -> None:
        self._finish_job(method, unit)
        path = str(self._call(SYSTEMD, "LoadUnit", unit))
        place = Place(SYSTEMD.service, path, PROPERTIES)
        if str(self._call(place, "Get", "org.freedesktop.systemd1.Unit", "ActiveState")) == "failed":
            raise VirtnodeError(Code.FAILED, f"{unit} failed", _journal_hint(unit))

    def _finish_job(self, method: str, unit: str) -> None:
        job = str(self._call(SYSTEMD, method, unit, "replace"))
        deadline = self._clock() + JOB_SECONDS
        while job != "/" and self._job_is_there(job):
            if self._clock() > deadline:
                raise VirtnodeError(
                    Code.FAILED, f"{unit} took longer than {JOB_SECONDS:.0f} s", _journal_hint(unit)
                )
            self._pause(POLL_SECONDS)

    def _job_is_there(self, job: str) -> bool:
        place = Place(SYSTEMD.service, job, PROPERTIES)
        try:
            self._call(place, "Get", "org.freedesktop.systemd1.Job", "State")
        except VirtnodeError as error:
            if error.code is Code.NOT_FOUND:
                return False
            raise
        return True

    def _call(self, place: Place, method: str, *words: object) -> object:
        try:
            with self._connection() as connection:
                proxy = connection.get_object(place.service, place.path, introspect=False)
                call = proxy.get_dbus_method(method, place.interface)
                answer: object = call(*words, timeout=CALL_SECONDS)
                return answer
        except dbus.DBusException as error:
            name = error.get_dbus_name() or ""
            unknown = name.endswith((".UnknownObject", ".NoSuchJob"))
            code = Code.NOT_FOUND if unknown else Code.FAILED
            said = f"{place.service} {method}: {(error.get_dbus_message() or name).strip()}"
            raise VirtnodeError(
                code, said, f"look for {place.service}: {places.at(places.Place.JOURNAL)}"
            ) from error

    @contextlib.contextmanager
    def _connection(self) -> "Iterator[dbus.bus.BusConnection]":
        connection = dbus.bus.BusConnection(self._address, mainloop=dbus.mainloop.NULL_MAIN_LOOP)
        try:
            yield connection
        finally:
            connection.close()


@dataclass(frozen=True)
class NetworkLink:
    """A link as networkd describes it, and the file that it took its settings from."""

    index: int
    name: str
    file: str


def parse_links(text: str) -> tuple[NetworkLink, ...]:
    """Read the JSON in which networkd describes itself."""
    links = []
    for item in json.loads(text).get("Interfaces", []):
        links.append(NetworkLink(int(item["Index"]), str(item["Name"]), str(item.get("NetworkFile", ""))))
    return tuple(links)


def _journal_hint(unit: str) -> str:
    return places.at(places.Place.UNIT, unit)
