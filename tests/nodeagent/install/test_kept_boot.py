"""What a node that is installed again keeps of its boot partition."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from nodeagent.boot_config import ESP_DEVICE, collect_sources
from nodeagent.install.fat import Content, FatWriter
from nodeagent.install.kept_boot import KeptBoot, read_kept_boot
from nodeagent.install.steps import Work
from nodeagent.intent_sources import load_intent
from nodelib.bus_install import InstallRequest, InstallRun, InstallState
from nodelib.config_area import AREA_FILE, ConfigArea, pack_area
from nodelib.install_planning import LOST_ARGUMENTS
from nodelib.run import run
from nodelib.slot_menu import ARGUMENTS_FILE, environment_block, slot_config
from nodelib.slots import ESP, MEBIBYTE
from tests.nodeagent.install.machines import Machine, disk_row
from tests.nodeagent.install.works import install, make_work
from tests.nodeagent.machines import make_machine
from tests.nodeagent.test_boot_config import Mounts, folder

OWN = ("console=ttyS1", "node.config=http://x/${mac}.toml", "quiet")
AREA = pack_area(ConfigArea(b'version = 2\n[system]\nhostname = "embedded"\n'))
BLANK = pack_area(ConfigArea())
ADDED = f"# a mark\nset node_arguments='{' '.join(OWN[:2])}'\n\n\n".encode()
KEEP = InstallRequest("/dev/sda", keep=True)


def write_boot_partition(work: Work, **files: bytes) -> None:
    """Write another boot partition; an underscore is a dot, two are a slash."""
    region = work.region(ESP)
    named: dict[str, Content] = {
        name.replace("__", "/").replace("_", "."): data for name, data in files.items()
    }
    with work.device.open("r+b") as disk:
        start, size = region.start * MEBIBYTE, region.size * MEBIBYTE
        writer = FatWriter(disk.fileno(), start, size, label="X", serial=1)
        writer.write(named, lambda count: None)
        writer.finish()


def config(*words: str) -> bytes:
    """Write a slot.cfg."""
    return slot_config("virtnode old", words).encode()


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"a__slot_cfg": config("quiet")}, KeptBoot(("quiet",))),
        (
            {
                "a__slot_cfg": config("a=1"),
                "b__slot_cfg": config("b=1"),
                "grub__grubenv": environment_block(slot="b"),
            },
            KeptBoot(("b=1",)),
        ),
        (
            {"a__slot_cfg": config("a=1"), "grub__grubenv": environment_block(slot="b")},
            KeptBoot(("a=1",)),
        ),
        (
            {"a__slot_cfg": config("quiet"), "grub__custom_cfg": ADDED, "virtnode__config_img": BLANK},
            KeptBoot(("quiet", *OWN[:2])),
        ),
        (
            {"a__slot_cfg": config("quiet"), "grub__custom_cfg": b"", "virtnode__config_img": AREA},
            KeptBoot(("quiet",), AREA),
        ),
        (
            {"a__slot_cfg": config("quiet"), "virtnode__config_img": b"nonsense"},
            KeptBoot(("quiet",), b"nonsense"),
        ),
        ({"a__vmlinuz": b"kernel"}, KeptBoot(())),
        ({"a__slot_cfg": b"set nothing"}, None),
    ],
)
def test_it_is_read_from_the_slot_that_starts(
    tmp_path: Path, files: dict[str, bytes], found: KeptBoot | None
) -> None:
    """With what was written into a disk image, unless that is blank."""
    work = make_work(tmp_path)
    write_boot_partition(work, **files)
    assert read_kept_boot(work.device, work.regions) == found


def test_a_torn_boot_partition_has_nothing(tmp_path: Path) -> None:
    """An installation lost its power before the first sector was there."""
    work = make_work(tmp_path)
    assert read_kept_boot(work.device, work.regions) is None


def kept(tmp_path: Path, before: Callable[[Work], None]) -> tuple[Machine, tuple[str, ...]]:
    """Install a node with its own words, change something, and install it again from a plain medium."""
    machine = Machine(tmp_path, [disk_row()])
    first = machine.installation()
    (tmp_path / "proc/cmdline").write_text(f"root=live:CDLABEL=X {' '.join(OWN)}")
    plan = first.plan(InstallRequest("/dev/sda"))
    first.run(InstallRun(InstallRequest("/dev/sda"), plan.id, plan.confirmation), "root")
    first.wait(60)
    machine.read_table()
    work = make_work(tmp_path / "like")
    before(dataclasses.replace(work, device=tmp_path / "dev/sda"))
    (tmp_path / "proc/cmdline").write_text("root=live:CDLABEL=X quiet console=tty0 splash node.install=ask")
    again = machine.installation()
    plan = again.plan(KEEP)
    again.run(InstallRun(KEEP, plan.id, plan.confirmation), "root")
    again.wait(60)
    assert again.progress().state is InstallState.SUCCEEDED
    return machine, (*plan.steps, *plan.warnings)


def boot_file(machine: Machine, name: str) -> str:
    """Read a file of the boot partition with the tools that others made."""
    return run(["mtype", "-i", f"{machine.root / 'dev/sda'}@@2M", f"::{name}"]).stdout


def test_a_plain_medium_takes_no_argument_away(tmp_path: Path) -> None:
    """The installed node's own stay, the medium's come to them, and the plan says both."""
    machine, said = kept(tmp_path, lambda work: None)
    words = f"{' '.join(OWN)} console=tty0 splash"
    assert words in boot_file(machine, "a/slot.cfg")
    assert f"; kernel arguments: {words}" in "\n".join(said)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The plan warns before anything is written."""
    machine, said = kept(tmp_path, lambda work: write_boot_partition(work, a__vmlinuz=b"", a__slot_cfg=b"x"))
    assert LOST_ARGUMENTS in said
    assert "quiet console=tty0 splash" in boot_file(machine, "a/slot.cfg")


def test_a_customised_disk_image_stays_customised(tmp_path: Path) -> None:
    """Arguments that were added are the slot's own, and what is embedded is found by the next start."""

    def as_disk_image(work: Work) -> None:
        write_boot_partition(
            work,
            a__vmlinuz=b"kernel",
            a__slot_cfg=config("root=live:PARTLABEL=virtnode-a", "quiet"),
            grub__custom_cfg=ADDED,
            virtnode__config_img=AREA,
        )

    machine, _ = kept(tmp_path, as_disk_image)
    area = tmp_path / "area"
    run(["mcopy", "-n", "-i", f"{machine.root / 'dev/sda'}@@2M", f"::{AREA_FILE}", area])
    assert area.read_bytes() == AREA
    arguments = boot_file(machine, "a/slot.cfg")
    assert all(word in arguments for word in ("root=live:PARTLABEL=virtnode-a ", *OWN))
    listed = run(["mdir", "-b", "-i", f"{machine.root / 'dev/sda'}@@2M", "::grub"]).stdout
    assert "grub.cfg" in listed
    assert ARGUMENTS_FILE not in listed
    root = make_machine(tmp_path / "next", {"proc/cmdline": arguments, ESP_DEVICE: ""})
    collect_sources(root, Mounts({ESP_DEVICE: folder(tmp_path / "esp", {AREA_FILE: area.read_bytes()})}))
    assert load_intent(root, arguments).intent.system.hostname == "embedded"


def test_a_boot_partition_without_an_area_gets_none(tmp_path: Path) -> None:
    """Only what somebody embedded is carried over."""
    work = make_work(tmp_path)
    install(work)
    assert read_kept_boot(work.device, work.regions) == KeptBoot(work.arguments)
