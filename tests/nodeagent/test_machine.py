"""The machine as a whole: meters, where it started from, how it ends, and how everything is forgotten."""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.boot_medium import describe_boot, has_disk_to_install_to, read_slots
from nodeagent.choices import list_keymaps, list_timezones
from nodeagent.factory_reset import MARK, ask_for_reset, finish_reset
from nodeagent.guest_stop import clear_guests
from nodeagent.meters import MeterReader
from nodeagent.state_disk import State, write_state
from nodeagent.update.record import SlotImage, UpdateRecord, store_record
from nodelib.bus_system import (
    CHOICES,
    FACTORY_RESET,
    MAINTENANCE,
    METERS,
    POWER,
    SYSTEM,
    MaintenanceRequest,
    PowerDeed,
    PowerRequest,
    ResetRequest,
    Slot,
)
from nodelib.bus_update import UpdateState
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Disk
from nodelib.link import Nothing
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.machines import MACHINE, Commands, make_machine
from tests.nodeagent.node_trees import snapshot

DISKS = (Disk("sda", bus="usb"), Disk("nvme0n1", bus="nvme"), Disk("sdb", bus="sata"))


@pytest.fixture
def deeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a systemctl on the path that only writes down what it is asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    written = tmp_path / "deeds"
    script = folder / "systemctl"
    script.write_text(f'#!/bin/sh\necho "$@" >> {written}\ntest ! -e {tmp_path}/refuse\n')
    script.chmod(0o755)
    written.write_text("")
    monkeypatch.setenv("PATH", f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin")
    return written


@pytest.fixture
def running(deeds: Path, tmp_path: Path) -> Iterator[RunningAgent]:
    """Run an agent that can end no machine but a made-up one."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as agent:
        yield agent


@dataclass
class Steps:
    """A clock that goes when told to, and writes down who waited."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds


def stop_guests(running: RunningAgent) -> None:
    """Let every virtual machine end."""
    for path in (running.agent.root / "run/libvirt/qemu").glob("*.pid"):
        path.unlink()


def test_a_node_with_guests_is_not_restarted_by_accident(running: RunningAgent, deeds: Path) -> None:
    """They are named; without any the machine restarts, and the event says who asked."""
    with pytest.raises(VirtnodeError, match="virtual machines run: vm1") as caught:
        running.client.call(POWER, PowerRequest(PowerDeed.REBOOT))
    assert (caught.value.code, deeds.read_text()) == (Code.CONFLICT, "")
    stop_guests(running)
    running.client.call(POWER, PowerRequest(PowerDeed.POWEROFF))
    running.client.call(POWER, PowerRequest(PowerDeed.REBOOT))
    assert deeds.read_text() == "poweroff\nreboot\n"
    kinds = [(one.kind, one.actor) for one in running.agent.events.waiting()]
    assert [kind for kind, actor in kinds if actor] == ["poweroff", "reboot"]
    ends = [(one.before, one.after) for one in running.agent.events.waiting()]
    assert ends == [({"machine": "running"}, {"machine": then}) for then in ("off", "restarting")]


def test_guests_are_asked_and_waited_for(tmp_path: Path) -> None:
    """Each gets a shutdown; who does not end is told of when the time is over."""
    folder = tmp_path / "run/libvirt/qemu"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.pid").write_text("1")
        (folder / f"{name}.xml").touch()
    commands, steps = Commands(), Steps()

    def pause(seconds: float) -> None:
        steps.pause(seconds)
        (folder / "one.pid").unlink(missing_ok=True)

    left = clear_guests(tmp_path, commands, stop=True, clock=lambda: steps.now, pause=pause)
    assert left == ("two",)
    assert [call[-2:] for call in commands.calls] == [("shutdown", "one"), ("shutdown", "two")]
    assert sum(steps.pauses) == 60.0


def test_maintenance_needs_an_engine(running: RunningAgent) -> None:
    """A node by itself has none, and says where to look."""
    with pytest.raises(VirtnodeError, match="not connected") as caught:
        running.client.call(MAINTENANCE, MaintenanceRequest(True))
    assert (caught.value.code, bool(caught.value.hint)) == (Code.CONFLICT, True)


def test_a_reset_needs_the_name_and_is_noted(running: RunningAgent, deeds: Path, tmp_path: Path) -> None:
    """A wrong name changes nothing, nor does a restart that fails; a right one leaves a mark and restarts."""
    mark = running.agent.root / "var/lib/virtnode" / MARK
    stop_guests(running)
    with pytest.raises(VirtnodeError, match="not the name of this host"):
        running.client.call(FACTORY_RESET, ResetRequest("node1"))
    (tmp_path / "refuse").write_text("")
    with pytest.raises(VirtnodeError, match="systemctl"):
        running.client.call(FACTORY_RESET, ResetRequest("node1.example.org"))
    assert not mark.exists()
    (tmp_path / "refuse").unlink()
    running.client.call(FACTORY_RESET, ResetRequest("node1.example.org"))
    assert mark.exists()
    assert deeds.read_text() == "reboot\nreboot\n"
    told = next(one for one in running.agent.events.waiting() if one.kind == "factory-reset")
    assert (told.before, told.after) == (
        {"hostname": "node1.example.org", "engine": ""},
        {"hostname": "", "engine": ""},
    )


class PowerLoss(BaseException):
    """The machine stops in the midst of something."""


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_loss_of_power_leaves_the_old_node_or_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Wherever the removal is cut off, the next start ends it; without the mark everything is as it was."""
    state = tmp_path / "var/lib/virtnode"
    (state / "identity").mkdir(parents=True)
    (state / "lost+found").mkdir()
    for name in ("node.toml", "events.json", "identity/key.pem", "identity/node.pem"):
        (state / name).write_text(name)
    before = snapshot(state)
    assert not finish_reset(state)
    assert snapshot(state) == before
    ask_for_reset(tmp_path)
    removals = itertools.count(1)
    real_unlink = os.unlink

    def unlink(*words: object, **more: object) -> None:
        if next(removals) == cut:
            raise PowerLoss
        real_unlink(*words, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(os, "unlink", unlink)
        try:
            finish_reset(state)
        except PowerLoss:
            assert (state / MARK).exists()
    finish_reset(state)
    assert [path.name for path in state.iterdir()] == ["lost+found"]


def test_meters_are_rates_of_what_counters_grew_by(tmp_path: Path) -> None:
    """Between two samples; whoever asks at once gets the same, and a counter that fell counts nothing."""
    root = make_machine(tmp_path, MACHINE)
    steps = Steps(now=100.0)

    def count(busy: int, idle: int, received: int) -> None:
        (root / "proc/stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 5 5\ncpu0 1 1 1 1\n")
        folder = root / "sys/class/net/eth0/statistics"
        folder.mkdir(exist_ok=True)
        (folder / "rx_bytes").write_text(f"{received}\n")
        (folder / "tx_bytes").write_text("7\n")

    reader = MeterReader(root, lambda: steps.now)
    count(100, 100, 1000)
    reader.read(["eth0"])
    steps.now += 2.0
    count(130, 170, 5000)
    meters = reader.read(["eth0"])
    assert (meters.cpu_percent, meters.links[0].received, meters.links[0].sent) == (30.0, 2000.0, 0.0)
    steps.now += 0.1
    count(900, 170, 9000)
    assert reader.read(["eth0"]).cpu_percent == 30.0
    steps.now += 2.0
    count(900, 900, 0)
    assert reader.read(["eth0"]).links[0].received == 0.0
    assert (meters.uptime, meters.load, meters.guests_running) == (123.45, 0.5, 1)
    assert (meters.memory_total_bytes, meters.memory_used_bytes) == (16384 * 1024, 8192 * 1024)
    assert [one.name for one in meters.storage] == ["memory"]
    write_state(root, State("disk"))
    (root / "var/lib/virtnode").mkdir(parents=True)
    assert [one.name for one in reader.read([]).storage] == ["state", "memory"]
    assert all(0 < one.used_bytes <= one.size_bytes for one in reader.read([]).storage)


def start_from(root: Path, cmdline: str, device: str = "") -> Path:
    """Make a machine look as if it was started from something."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/cmdline").write_text(f"quiet {cmdline} console=tty0\n")
    mounts = f"/dev/{device} /run/initramfs/live iso9660 ro 0 0\n" if device else ""
    (root / "proc/mounts").write_text(f"proc /proc proc rw 0 0\n{mounts}")
    return root


@pytest.mark.parametrize(
    ("cmdline", "device", "words"),
    [
        ("root=live:CDLABEL=VIRTNODE-12345678", "sr0", "the CD"),
        ("root=live:CDLABEL=VIRTNODE-12345678", "sda1", "a USB stick (sda)"),
        ("root=live:CDLABEL=VIRTNODE-12345678", "sdb", "the disk sdb"),
        ("root=live:CDLABEL=VIRTNODE-12345678", "", "a CD or a USB stick"),
        ("root=live:PARTLABEL=virtnode-a", "nvme0n1p3", "slot a of the disk nvme0n1"),
        ("root=live:http://192.0.2.1/virtnode/rootfs.squashfs", "", "the network"),
        ("root=/dev/sda1", "", ""),
    ],
)
def test_where_a_node_started_from_is_said_in_words(
    tmp_path: Path, cmdline: str, device: str, words: str
) -> None:
    """A person knows what to pull out, or which disk it is; what nothing tells is left open."""
    assert describe_boot(start_from(tmp_path, cmdline, device), DISKS) == words


def test_slots_are_found_by_their_names(tmp_path: Path) -> None:
    """The one that runs has its version; nobody looks into the other one."""
    root = start_from(tmp_path, "root=live:PARTLABEL=virtnode-b")
    assert read_slots(root) == ()
    folder = root / "dev/disk/by-partlabel"
    folder.mkdir(parents=True)
    for name, device in (("a", "sdb3"), ("b", "sdb4")):
        (folder / f"virtnode-{name}").symlink_to(f"../../{device}")
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text('VERSION_ID="13"\nIMAGE_VERSION=0.2.0\n')
    assert read_slots(root) == (Slot("a", device="/dev/sdb3"), Slot("b", "0.2.0", True, "/dev/sdb4"))
    assert describe_boot(root, DISKS) == "slot b of the disk sdb"


def test_slots_of_an_installed_disk_are_its_own(tmp_path: Path) -> None:
    """It is named by identifier; another disk is not meant, and an update tells the other version."""
    root = start_from(tmp_path, "root=live:PARTUUID=00000004-0000")
    for name, device in (
        ("by-partuuid/00000004-0000", "sdb3"),
        ("by-partlabel/virtnode-a", "sda3"),
        ("by-partlabel/virtnode-b", "sda4"),
    ):
        (root / "dev/disk" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "dev/disk" / name).symlink_to(f"../../{device}")
    (root / "sys/class/block").mkdir(parents=True)
    for number, name in ((3, "virtnode-a"), (4, "virtnode-b")):
        part = root / f"sys/devices/pci/block/sdb/sdb{number}"
        part.mkdir(parents=True)
        (part / "uevent").write_text(f"DEVTYPE=partition\nPARTNAME={name}\n")
        (root / f"sys/class/block/sdb{number}").symlink_to(part)
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("IMAGE_VERSION=0.2.0\n")
    store_record(root, UpdateRecord(UpdateState.READY, "b", SlotImage("0.3.0")))
    expected = (Slot("a", "0.2.0", True, "/dev/sdb3"), Slot("b", "0.3.0", False, "/dev/sdb4"))
    assert read_slots(root) == expected
    assert describe_boot(root, DISKS) == "slot a of the disk sdb"


@pytest.mark.parametrize(
    ("cmdline", "device", "disks", "has"),
    [
        ("root=live:CDLABEL=V", "sr0", (Disk("vda", size_bytes=10**10),), True),
        ("root=live:CDLABEL=V", "sr0", (Disk("vda", size_bytes=10**9),), False),
        ("root=live:CDLABEL=V", "sda1", (Disk("sda", bus="usb", size_bytes=10**11),), False),
        ("root=live:http://192.0.2.1/rootfs.squashfs", "", (), False),
    ],
)
def test_what_could_be_installed_to_is_known(
    tmp_path: Path, cmdline: str, device: str, disks: tuple[Disk, ...], has: bool
) -> None:
    """A disk of some size that is not the stick that the node was started from."""
    root = start_from(tmp_path, cmdline, device)
    mount = f"36 1 8:1 / /run/initramfs/live ro - iso9660 /dev/{device} ro\n" if device else ""
    (root / "proc/self").mkdir()
    (root / "proc/self/mountinfo").write_text(mount)
    assert has_disk_to_install_to(root, disks) is has


def test_choices_are_what_the_image_has(tmp_path: Path) -> None:
    """Names without their endings, in order; tables and copies of zones are no zones."""
    assert (list_keymaps(tmp_path), list_timezones(tmp_path)) == ((), ())
    for name in (
        "share/keymaps/i386/qwertz/de.kmap.gz",
        "lib/kbd/keymaps/xkb/us.map.gz",
        "share/keymaps/README",
    ):
        (tmp_path / "usr" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "usr" / name).write_text("")
    for name in ("UTC", "Europe/Berlin", "posix/UTC"):
        path = tmp_path / "usr/share/zoneinfo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("TZif")
    (tmp_path / "usr/share/zoneinfo/Theory").write_text("of time")
    assert list_keymaps(tmp_path) == ("de", "us")
    assert list_timezones(tmp_path) == ("Europe/Berlin", "UTC")


def test_the_bus_tells_about_the_machine(running: RunningAgent) -> None:
    """Each answers on a node that has no engine, no state disk and no slots."""
    system = running.client.call(SYSTEM, Nothing())
    assert (system.stateless, system.slots, system.maintenance, system.guests_running) == (True, (), False, 1)
    assert system.booted_from == "a CD or a USB stick"
    assert running.client.call(METERS, Nothing()).memory_total_bytes == 16384 * 1024
    assert running.client.call(CHOICES, Nothing()).keymaps == ()
