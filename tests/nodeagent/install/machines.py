"""Made-up machines with disks to install to: what lsblk prints, mounts, and files in place of disks."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodeagent.disk_claim import DiskClaim
from nodeagent.events import EventQueue
from nodeagent.install.disk_wait import Patience
from nodeagent.install.disks import DISKS_COMMAND, GROUPS_COMMAND
from nodeagent.install.installation import Installation, Surroundings
from nodeagent.install.marker import Marker
from nodeagent.install.medium import Medium
from nodeagent.install.preparation import prepare
from nodeagent.install.steps import Work
from nodeagent.install.webhook import Courier
from nodeagent.intent import BootArguments, InstallIntent, Intent, LoadedIntent
from nodelib.bus_install import InstallDisk, InstallPlan
from nodelib.facts import Facts, Hardware
from nodelib.run import run
from nodelib.slots import SECTOR
from tests.nodeagent.install.works import BUILD, make_boot_files, make_squashfs
from tests.nodeagent.machines import make_machine

DISK_BYTES = 9 * 10**9
FACTS = Facts(product="virtnode 0.1.0 (Debian)", build_id=BUILD, hardware=Hardware(uuid="u-1", serial="M1"))
ISO_MOUNTS = (
    "30 1 11:0 / /run/initramfs/live ro - iso9660 /dev/sr0 ro\n"
    "31 1 7:0 / /run/initramfs/squashfs ro - squashfs /dev/loop0 ro\n"
)
SMALL = InstallIntent(esp=128, slot=16, state=16, data="none")


def disk_row(name: str = "sda", **more: Any) -> dict[str, object]:  # noqa: ANN401 - as lsblk prints it
    """Write a disk as lsblk does: blank, unless more is said."""
    row = {"name": name, "type": "disk", "size": DISK_BYTES, "model": "Disk 9", "serial": f"SN-{name}-7A3F"}
    return {**row, "rota": False, "tran": "sata", "ro": False, "mountpoints": [None], **more}


def part_row(name: str, **more: Any) -> dict[str, object]:  # noqa: ANN401 - as lsblk prints it
    """Write a partition as lsblk does."""
    return {"name": name, "type": "part", "size": 10**9, "mountpoints": [None], **more}


@dataclass
class Machine:
    """A machine below a folder; commands print what its disks are now."""

    root: Path
    rows: list[dict[str, object]]
    groups: list[dict[str, object]] = field(default_factory=list)
    intent: InstallIntent = SMALL
    boot: str = ""
    posted: list[dict[str, object]] = field(default_factory=list)
    couriers: list[Courier] = field(default_factory=list)
    fail: Callable[[], None] = lambda: None
    """What happens when boot files are read."""
    facts: Facts = FACTS
    now: float = 0.0
    """Seconds on the clock of whoever waits for disks."""
    arrivals: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    """What happens to the machine while somebody waits, and when."""
    claim: DiskClaim = field(default_factory=DiskClaim)
    mistakes: tuple[str, ...] = ()
    """What is wrong with the configuration."""
    settled: int = 0
    """How often udev was waited for."""

    def __post_init__(self) -> None:
        """Lay the machine out; its only real disk is sda, a sparse file."""
        files = {
            "proc/self/mountinfo": ISO_MOUNTS,
            "proc/cmdline": "root=live:CDLABEL=X quiet node.install=ask",
            "proc/sys/kernel/hostname": "node1\n",
            "dev/sr0": "",
        }
        make_machine(self.root, files)
        make_squashfs(self.root / "dev/loop0")
        disk = self.root / "dev/sda"
        disk.touch()
        os.truncate(disk, DISK_BYTES)

    def command(self, argv: Sequence[str]) -> str:
        """Print what lsblk and pvs would."""
        if tuple(argv) == DISKS_COMMAND:
            return json.dumps({"blockdevices": self.rows})
        if tuple(argv) == GROUPS_COMMAND:
            return json.dumps({"report": [{"pv": self.groups}]})
        return ""

    def loaded(self) -> LoadedIntent:
        """Return the intent in force."""
        boot = BootArguments(install=self.boot)
        return LoadedIntent(Intent(install=self.intent), {}, {}, self.mistakes, boot)

    def installation(self) -> Installation:
        """Make its installation, whose boot files are made up and whose webhook is a list."""
        around = Surroundings(
            self.root,
            self.command,
            lambda: self.facts,
            self.loaded,
            EventQueue(self.root, lambda: 1e9),
            lambda: 1e9,
            self.claim,
        )

        def prepare_work(root: Path, plan: InstallPlan, medium: Medium, marker: Marker) -> Work:
            self.fail()
            return prepare(root, plan, medium, marker, load=lambda root, medium: make_boot_files())

        def make_courier(url: str) -> Courier:
            courier = Courier(url, lambda url, body: self.posted.append(json.loads(body)), pause=0.0)
            self.couriers.append(courier)
            return courier

        patience = Patience(self._settle, self._pause, lambda: self.now)
        return Installation(around, prepare_work=prepare_work, make_courier=make_courier, patience=patience)

    def _settle(self) -> None:
        self.settled += 1

    def _pause(self, seconds: float) -> None:
        self.now += seconds
        while self.arrivals and self.arrivals[0][0] <= self.now:
            self.arrivals.pop(0)[1]()

    def wait_for_news(self) -> None:
        """Wait until all that was posted has arrived."""
        for courier in self.couriers:
            courier.finish(10)

    def events(self) -> list[str]:
        """Name what happened."""
        return [event.kind for event in EventQueue(self.root, lambda: 1e9).waiting()]

    def read_table(self) -> None:
        """Let lsblk see what is on sda by now."""
        table = json.loads(run(["sfdisk", "--json", self.root / "dev/sda"]).stdout)["partitiontable"]
        self.rows[0] |= {
            "pttype": "gpt",
            "children": [
                part_row(
                    f"sda{number}",
                    partlabel=part["name"],
                    start=part["start"],
                    size=part["size"] * SECTOR,
                    parttype=part["type"],
                )
                for number, part in enumerate(table["partitions"], 1)
            ],
        }


def disk(name: str = "sda", **more: Any) -> InstallDisk:  # noqa: ANN401 - any of its fields
    """Describe a blank disk."""
    given: dict[str, Any] = {"size_bytes": 100 * 10**9, "serial": f"S-{name}", "confirmation": f"-{name}"}
    return InstallDisk(name=name, **{**given, **more})
