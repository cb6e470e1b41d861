"""The system's services over a real bus, to doubles that write down what they are asked."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nodeagent.systemd_bus import JOB_SECONDS, SystemdBus, parse_links
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at

DOUBLE = Path(__file__).with_name("system_double.py")
CONFIGURATION = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


@dataclass
class System:
    """A bus with services, and what they were asked."""

    address: str
    calls_file: Path

    @property
    def calls(self) -> list[str]:
        """What was asked so far."""
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Start a bus of our own."""
    configuration = tmp_path / "bus.conf"
    configuration.write_text(CONFIGURATION.format(socket=tmp_path / "bus"))
    argv = ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
        daemon.terminate()


@pytest.fixture
def system(address: str, tmp_path: Path) -> Iterator[System]:
    """Start the services' doubles on the bus."""
    found = System(address, tmp_path / "calls")
    argv = [sys.executable, str(DOUBLE), address, str(found.calls_file), "broken.service"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as services:
        assert services.stdout is not None
        assert services.stdout.readline()
        yield found
        services.terminate()


def fake_command(folder: Path, name: str, calls: Path, status: int = 0) -> None:
    """Put a command on the path that writes down how it was called."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{calls}"\nexit {status}\n')
    path.chmod(0o755)


def test_names_and_zones_reach_their_keepers(system: System) -> None:
    """Each service gets what it is told, without asking anybody for a password."""
    bus = SystemdBus(system.address)
    bus.set_hostname("node1")
    bus.set_timezone("Europe/Berlin")
    bus.reload_units()
    assert system.calls == ["hostname node1", "timezone Europe/Berlin", "reload"]


def test_a_keyboard_layout_is_loaded_where_there_is_a_screen(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without one keeps the layout for its next start, and that is no failure."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for status in (0, 1):
        fake_command(tmp_path, "loadkeys", tmp_path / "loaded", status)
        SystemdBus(system.address).load_keymap("de-latin1")
    assert (tmp_path / "loaded").read_text() == "loadkeys de-latin1\n" * 2


def test_a_unit_is_waited_for(system: System) -> None:
    """The call returns when the job is done, not when it has begun."""
    pauses: list[float] = []
    bus = SystemdBus(system.address, pause=pauses.append)
    bus.restart("one.service")
    assert pauses
    bus.start("two.service")
    bus.stop("three.service")
    assert system.calls == ["restart one.service", "start two.service", "stop three.service"]


def test_a_restart_may_be_left_to_itself(system: System) -> None:
    """It takes the place of a start under way, and nobody waits for its end."""
    pauses: list[float] = []
    SystemdBus(system.address, pause=pauses.append).restart_soon("slow.service")
    assert system.calls == ["begin anew, replace: slow.service"]
    assert not pauses


def test_a_unit_that_fails_is_an_error(system: System) -> None:
    """The hint says where to read why."""
    with pytest.raises(VirtnodeError) as caught:
        SystemdBus(system.address).restart("broken.service")
    assert (caught.value.code, caught.value.message) == (Code.FAILED, "broken.service failed")
    assert caught.value.hint == at(Place.UNIT, "broken.service")


def test_a_unit_that_is_stopped_may_end_as_it_likes(system: System) -> None:
    """Its failing on the way out hinders nobody."""
    SystemdBus(system.address).stop("broken.service")
    assert system.calls == ["stop broken.service"]


def test_a_unit_that_takes_too_long_is_an_error(system: System) -> None:
    """The agent does not wait for ever."""
    moments = itertools.count(0, JOB_SECONDS + 1)
    bus = SystemdBus(system.address, clock=lambda: float(next(moments)), pause=lambda seconds: None)
    with pytest.raises(VirtnodeError) as caught:
        bus.restart("slow.service")
    assert caught.value.message == "slow.service took longer than 30 s"


def test_a_unit_that_is_not_there_is_an_error(system: System) -> None:
    """systemd's own words are in the message."""
    with pytest.raises(VirtnodeError) as caught:
        SystemdBus(system.address).start("gone.service")
    assert "Unit gone.service not found." in caught.value.message


def test_links_are_deleted_reloaded_and_configured_anew(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order, and once networkd has heard of it: it makes no link that it believes to be there.

    A link that is not there to be deleted is no error; nobody else's link is touched.
    """
    fake_command(tmp_path, "networkctl", system.calls_file, status=1)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    bus = SystemdBus(system.address)
    bus.reload_network(gone=["bond0"], files=["/etc/systemd/network/20-virtnode-eth0.network"])
    heard = ["networkd knows bond0", "networkd knows bond0"]
    assert system.calls == ["networkctl delete bond0", *heard, "networkd reload", "networkd reconfigure 2"]


def test_rules_are_loaded_by_nft(system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that is refused is an error."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake_command(tmp_path, "nft", system.calls_file)
    SystemdBus(system.address).load_firewall(Path("/etc/x.nft"))
    assert system.calls == ["nft -f /etc/x.nft"]
    fake_command(tmp_path, "nft", system.calls_file, status=1)
    with pytest.raises(VirtnodeError):
        SystemdBus(system.address).load_firewall(Path("/etc/x.nft"))


def test_a_service_that_is_not_there_is_an_error(address: str) -> None:
    """The message says who did not answer."""
    with pytest.raises(VirtnodeError) as caught:
        SystemdBus(address).set_hostname("node1")
    assert caught.value.code is Code.FAILED
    assert "org.freedesktop.hostname1 SetHostname" in caught.value.message


def test_a_bus_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A node whose bus is dead says so."""
    with pytest.raises(VirtnodeError):
        SystemdBus(f"unix:path={tmp_path}/nobody").reload_units()


def test_links_without_a_file_have_none() -> None:
    """What networkd does not manage has no file to compare."""
    assert [link.file for link in parse_links('{"Interfaces": [{"Index": 1, "Name": "lo"}]}')] == [""]
