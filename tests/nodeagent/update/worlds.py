"""Nodes for tests of updates: installed by the installer's own steps to a file, started from either slot."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.disk_claim import DiskClaim
from nodeagent.events import EventQueue
from nodeagent.install.steps import Work
from nodeagent.state_disk import State, write_state
from nodeagent.update.engine_image import EngineImages
from nodeagent.update.health import Signs
from nodeagent.update.slot_disk import SlotDisk, find_slot_disk
from nodeagent.update.update import Surroundings, Update
from nodelib.run import run
from nodelib.slot_menu import TRIES, read_environment
from nodelib.slots import ESP, MEBIBYTE
from nodelib.update_bundle import INITRAMFS, KERNEL, PACKAGE_LIST, ROOT_IMAGE, TRUSTED_KEYS
from tests.nodeagent.install.works import install, make_work
from tests.nodeagent.machines import Commands
from tests.update_bundles import BundleOptions, make_bundle, public_pem

PAYLOAD = {
    KERNEL: b"the next kernel " * 5000,
    INITRAMFS: b"the next initramfs " * 9000,
    ROOT_IMAGE: b"hsqs the next root " * 70000,
}
OS_RELEASE = "IMAGE_ID=virtnode\nIMAGE_VERSION={version}\nBUILD_ID={build}\n"


@dataclass
class World:
    """One node and its disk."""

    root: Path
    work: Work
    signs: Signs = field(default_factory=lambda: Signs(libvirt_answers=True))
    deeds: list[tuple[str, ...]] = field(default_factory=list)
    now: float = 1000.0
    commands: Commands = field(default_factory=Commands)
    update: Update = field(init=False)
    events: EventQueue = field(init=False)
    images: EngineImages = field(default_factory=EngineImages)
    claim: DiskClaim = field(default_factory=DiskClaim)

    def __post_init__(self) -> None:
        self.restart_agent()

    def restart_agent(self) -> None:
        """Let the agent begin anew."""
        self.events = EventQueue(self.root, lambda: self.now)
        self.update = Update(
            Surroundings(
                self.root,
                self.commands,
                lambda: self.signs,
                self.events,
                lambda: self.now,
                self.tick,
                self.images,
                self.note_deed,
                look=0.01,
                claim=self.claim,
            )
        )

    def tick(self) -> float:
        """Let ten seconds pass with each look at the clock."""
        self.now += 10
        return self.now

    def note_deed(self, argv: Sequence[str]) -> None:
        """Note what would have been done."""
        self.deeds.append(tuple(argv))

    @property
    def disk(self) -> SlotDisk:
        """The disk as the node finds it."""
        return find_slot_disk(self.root)

    def environment(self) -> dict[str, str]:
        """Read what GRUB reads."""
        return read_environment(run(["mtype", "-i", self.esp, "::grub/grubenv"]).stdout.encode())

    @property
    def esp(self) -> str:
        """The boot partition, as mtools say it."""
        return f"{self.work.device}@@{self.work.region(ESP).start}M"

    def put_file(self, name: str, data: bytes) -> None:
        """Write a file of the boot partition with mtools."""
        source = self.root.parent / "put"
        source.write_bytes(data)
        run(["mcopy", "-o", "-i", self.esp, source, f"::{name}"])

    def read_file(self, name: str) -> bytes:
        """Read a file of the boot partition with mtools; empty where there is none."""
        target = self.root.parent / "got"
        target.unlink(missing_ok=True)
        run(["mcopy", "-o", "-n", "-i", self.esp, f"::{name}", target], check=False)
        return target.read_bytes() if target.exists() else b""

    def slot_bytes(self, slot: str, size: int) -> bytes:
        """Read the beginning of a slot."""
        with self.work.device.open("rb") as disk:
            disk.seek(self.work.region(f"virtnode-{slot}").start * MEBIBYTE)
            return disk.read(size)

    def power_on(self) -> str:
        """Do what the disk's menu does, and start what it starts; returns the slot.

        The menu itself is tested in GRUB's emulator; here it is the same rules in Python.
        """
        variables = self.environment()
        slot, trial, tries = variables.get("slot", "a"), variables.get("trial", ""), variables.get("tries")
        if trial:
            left = int(tries or 0) if self.read_file(f"{trial}/slot.cfg") else 0
            if left:
                slot, variables["tries"] = trial, str(left - 1)
            else:
                variables["failed"], trial = trial, ""
            variables["trial"] = trial
            lines = "".join(f"{name}={value}\n" for name, value in variables.items())
            self.put_file("grub/grubenv", ("# GRUB Environment Block\n" + lines).encode().ljust(1024, b"#"))
        if not self.read_file(f"{slot}/slot.cfg"):
            slot, trial = ("b" if slot == "a" else "a"), ""
        start_slot(self.root, self.work, slot, trial)
        (self.root / "run/virtnode/kept").unlink(missing_ok=True)
        self.update.stop()
        self.restart_agent()
        return slot


def start_slot(root: Path, work: Work, slot: str, trial: str = "") -> None:
    """Have a root look as if it was started from a slot."""
    identifier = work.identifiers[f"virtnode-{slot}"].lower()
    words = f"BOOT_IMAGE=/{slot}/vmlinuz root=live:PARTUUID={identifier} rd.live.image quiet"
    words += f" node.state={work.state_group}/state" if work.state_group else ""
    (root / "proc").mkdir(parents=True, exist_ok=True)
    (root / "proc/cmdline").write_text(words + (f" node.trial={trial} panic=10" if trial else "") + "\n")


def plug_in(root: Path, work: Work, name: str) -> None:
    """Have the kernel and udev know a disk and its partitions."""
    for partition, number in (("virtnode-a", 3), ("virtnode-b", 4), (ESP, 2)):
        link = root / "dev/disk/by-partuuid" / work.identifiers[partition].lower()
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../{name}{number}")
        block = root / f"sys/devices/{name}/{name}{number}"
        block.mkdir(parents=True)
        (block / "uevent").write_text(f"DEVTYPE=partition\nPARTNAME={partition}\n")
        (root / "sys/class/block").mkdir(parents=True, exist_ok=True)
        (root / f"sys/class/block/{name}{number}").symlink_to(f"../../devices/{name}/{name}{number}")
    (root / f"dev/{name}").symlink_to(work.device)


def unplug(root: Path, work: Work, name: str) -> None:
    """Take a disk away."""
    for partition, number in (("virtnode-a", 3), ("virtnode-b", 4), (ESP, 2)):
        (root / "dev/disk/by-partuuid" / work.identifiers[partition].lower()).unlink()
        (root / f"sys/class/block/{name}{number}").unlink()
    shutil.rmtree(root / f"sys/devices/{name}")
    (root / f"dev/{name}").unlink()


def make_world(folder: Path, work: Work | None = None) -> World:
    """Install a node to a file, and start it from slot A; a mirrored one knows both disks."""
    work = work or make_work(folder / "work")
    install(work)
    root = folder / "root"
    for name, one in zip(("sda", "sdb"), work.disks, strict=False):
        plug_in(root, one, name)
    start_slot(root, work, "a")
    texts = {
        "proc/meminfo": "MemTotal: 1048576 kB\nMemAvailable: 102400 kB\n",
        "proc/sys/kernel/arch": "x86_64\n",
        "proc/self/mountinfo": "",
        "usr/lib/os-release": OS_RELEASE.format(version="1.0", build="1111111111111111"),
        PACKAGE_LIST: "bash 5.1\nold 1\n",
        f"{TRUSTED_KEYS}/release.pem": public_pem().decode(),
        "var/lib/virtnode/node.toml": "version = 2\n",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    write_state(root, State("disk"))
    return World(root, work)


def bundle_for(folder: Path, options: BundleOptions | None = None) -> Path:
    """Make a bundle of the small payload."""
    return make_bundle(folder / "next.update", PAYLOAD, options)


def use_up_tries(world: World, look: Callable[[str], None]) -> str:
    """Switch the machine on until nothing is tried any more; `look` sees each start. Returns what runs."""
    for _ in range(TRIES + 1):
        slot = world.power_on()
        look(slot)
    return slot
