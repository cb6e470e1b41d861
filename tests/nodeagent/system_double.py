"""systemd, networkd, hostnamed and timedated as far as the agent calls them, on a bus of the tests' own.

Run as a program: the bus's address, a file that gets a line for each call, and a unit that fails.
"""

import sys
from pathlib import Path

import dbus
import dbus.bus
import dbus.mainloop.glib
import dbus.service

from nodelib.main_loop import MainLoop

LINKS = """{"Interfaces": [
{"Index": 1, "Name": "lo"},
{"Index": 2, "Name": "eth0", "NetworkFile": "/etc/systemd/network/20-virtnode-eth0.network"},
{"Index": 3, "Name": "eth1", "NetworkFile": "/etc/systemd/network/90-link.network"}]}"""
GONE_LATE = LINKS.replace("]}", ',\n{"Index": 4, "Name": "bond0"}]}')
"""How networkd answers at first: what the kernel deleted, it hears of a moment later."""
JOB = "/org/freedesktop/systemd1/job/7"
UNIT = "/org/freedesktop/systemd1/unit/one"
SYSTEMD, NETWORKD = "org.freedesktop.systemd1.Manager", "org.freedesktop.network1.Manager"
HOSTNAMED, TIMEDATED = "org.freedesktop.hostname1", "org.freedesktop.timedate1"
PROPERTIES = "org.freedesktop.DBus.Properties"


class Log:
    """The file of calls."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, *words: object) -> None:
        """Write a call down."""
        with self._path.open("a") as file:
            file.write(" ".join(map(str, words)) + "\n")


class Job(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """A job that is there for one look at it; systemd's own words say that it is gone."""

    looks = 0

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")  # type: ignore[untyped-decorator]
    def Get(self, interface: str, name: str) -> str:  # noqa: N802
        """Tell the state, once."""
        self.looks += 1
        if self.looks > 1:
            raise dbus.DBusException(
                f"Unknown object '{JOB}'.", name="org.freedesktop.DBus.Error.UnknownObject"
            )
        return "running"


class Unit(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """The unit that was asked for last."""

    state = "active"

    @dbus.service.method(PROPERTIES, in_signature="ss", out_signature="v")  # type: ignore[untyped-decorator]
    def Get(self, interface: str, name: str) -> str:  # noqa: N802
        """Tell whether it failed."""
        return self.state


class Systemd(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """The manager of units."""

    def __init__(self, bus: dbus.bus.BusConnection, log: Log, broken: str) -> None:
        super().__init__(bus, "/org/freedesktop/systemd1")
        self._log = log
        self._broken = broken
        self._unit = Unit(bus, UNIT)
        self._job = Job(bus, JOB)

    def _start_job(self, verb: str, unit: str) -> dbus.ObjectPath:
        self._log.note(verb, unit)
        if unit == "gone.service":
            raise dbus.DBusException(
                "Unit gone.service not found.", name="org.freedesktop.systemd1.NoSuchUnit"
            )
        self._job.looks = 0
        return dbus.ObjectPath(JOB)

    @dbus.service.method(SYSTEMD)  # type: ignore[untyped-decorator]
    def Reload(self) -> None:  # noqa: N802
        """Read units."""
        self._log.note("reload")

    @dbus.service.method(SYSTEMD, in_signature="ss", out_signature="o")  # type: ignore[untyped-decorator]
    def ReloadOrTryRestartUnit(self, unit: str, mode: str) -> dbus.ObjectPath:  # noqa: N802
        """Begin a job."""
        return self._start_job("restart", unit)

    @dbus.service.method(SYSTEMD, in_signature="ss", out_signature="o")  # type: ignore[untyped-decorator]
    def ReloadOrRestartUnit(self, unit: str, mode: str) -> dbus.ObjectPath:  # noqa: N802
        """Begin a job."""
        return self._start_job("start", unit)

    @dbus.service.method(SYSTEMD, in_signature="ss", out_signature="o")  # type: ignore[untyped-decorator]
    def RestartUnit(self, unit: str, mode: str) -> dbus.ObjectPath:  # noqa: N802
        """Begin a job, in the place of one that is there."""
        return self._start_job(f"begin anew, {mode}:", unit)

    @dbus.service.method(SYSTEMD, in_signature="ss", out_signature="o")  # type: ignore[untyped-decorator]
    def StopUnit(self, unit: str, mode: str) -> dbus.ObjectPath:  # noqa: N802
        """Begin a job."""
        return self._start_job("stop", unit)

    @dbus.service.method(SYSTEMD, in_signature="s", out_signature="o")  # type: ignore[untyped-decorator]
    def LoadUnit(self, unit: str) -> dbus.ObjectPath:  # noqa: N802
        """Name the unit's object."""
        self._unit.state = "failed" if unit == self._broken else "active"
        return dbus.ObjectPath(UNIT)


class Networkd(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """The manager of networks."""

    def __init__(self, bus: dbus.bus.BusConnection, log: Log) -> None:
        super().__init__(bus, "/org/freedesktop/network1")
        self._log = log
        self._answers = [GONE_LATE, GONE_LATE]

    @dbus.service.method(NETWORKD)  # type: ignore[untyped-decorator]
    def Reload(self) -> None:  # noqa: N802
        """Read files."""
        self._log.note("networkd reload")

    @dbus.service.method(NETWORKD, out_signature="s")  # type: ignore[untyped-decorator]
    def Describe(self) -> str:  # noqa: N802
        """Tell the links."""
        if not self._answers:
            return LINKS
        self._log.note("networkd knows bond0")
        return self._answers.pop()

    @dbus.service.method(NETWORKD, in_signature="i")  # type: ignore[untyped-decorator]
    def ReconfigureLink(self, index: int) -> None:  # noqa: N802
        """Configure a link anew."""
        self._log.note("networkd reconfigure", int(index))


class Hostnamed(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """The keeper of names."""

    def __init__(self, bus: dbus.bus.BusConnection, log: Log) -> None:
        super().__init__(bus, "/org/freedesktop/hostname1")
        self._log = log

    @dbus.service.method(HOSTNAMED, in_signature="sb")  # type: ignore[untyped-decorator]
    def SetHostname(self, name: str, interactive: bool) -> None:  # noqa: N802
        """Take a name."""
        self._log.note("hostname", name)


class Timedated(dbus.service.Object):  # type: ignore[misc] # the library has no types
    """The keeper of time."""

    def __init__(self, bus: dbus.bus.BusConnection, log: Log) -> None:
        super().__init__(bus, "/org/freedesktop/timedate1")
        self._log = log

    @dbus.service.method(TIMEDATED, in_signature="sb")  # type: ignore[untyped-decorator]
    def SetTimezone(self, zone: str, interactive: bool) -> None:  # noqa: N802
        """Take a zone."""
        self._log.note("timezone", zone)


def main(address: str, calls: str, broken: str) -> None:
    """Serve until somebody ends this."""
    dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
    bus = dbus.bus.BusConnection(address)
    log = Log(Path(calls))
    objects = [Systemd(bus, log, broken), Networkd(bus, log), Hostnamed(bus, log), Timedated(bus, log)]
    names = [
        dbus.service.BusName(f"org.freedesktop.{name}", bus)
        for name in ("systemd1", "network1", "hostname1", "timedate1")
    ]
    sys.stdout.write(f"{len(objects)} objects, {len(names)} names\n")
    sys.stdout.flush()
    MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
