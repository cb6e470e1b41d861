"""A node installs itself to a disk and starts from it, by every firmware, and with its medium left in."""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from image.accelerator import Accelerator
from image.firmware import Firmware, prepare_firmware
from nodelib.run import run
from tests.vm.guest import (
    Boot,
    Guest,
    Hardware,
    kernel_boot,
    menu_boot,
    switched_on,
    wait_until,
)
from tests.vm.joining import short_folder
from tests.vm.recipes import recipe

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(3600)]

DISK_BYTES = 9 * 10**9
SERIAL = "state"
"""The serial number that the machine gives its disk."""
DATA_SERIAL = "data-1"
INSTALL_SECONDS, AGENT_SECONDS = 1800.0, 400.0


def make_disk(folder: Path) -> Path:
    """Make a blank disk."""
    path = folder / "disk.img"
    with path.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    return path


def machine(folder: Path, boot: Boot, accelerator: Accelerator) -> Guest:
    """Lay out a machine with the disk of this folder, blank at first."""
    disk = folder / "disk.img"
    if not disk.exists():
        make_disk(folder)
    return Guest(Hardware(folder, str(uuid.uuid4()), state=disk), boot, accelerator)


def installed_disk(node: Guest) -> Mapping[str, Any]:
    """Ask the node for its only disk that is no medium."""
    disks = json.loads(node.run("virtnodectl install disks --json"))["disks"]
    found: Mapping[str, Any] = next(disk for disk in disks if disk["serial"] == SERIAL)
    return found


def wait_for_agent(node: Guest) -> None:
    """Wait until the node answers its own command line."""
    node.wait_for_shell()
    command = "virtnodectl install disks"
    # On a busy machine the very first answer may take as long as the agent may.
    wait_until(lambda: node.try_run(command, seconds=AGENT_SECONDS)[0] == 0, AGENT_SECONDS, "the agent")


def is_installed(node: Guest) -> None:
    """Check that the root is slot A, that state and volume group are there, and that nothing failed."""
    wait_for_agent(node)
    assert "root=live:PARTUUID=" in node.run("cat /proc/cmdline")
    assert "node.install" not in node.run("cat /proc/cmdline")
    assert node.run("findmnt -n -o SOURCE /var/lib/virtnode").strip() == "/dev/vda5"
    assert node.run("vgs --noheadings -o vg_name").strip().startswith("virtnode-")
    assert node.run("systemctl --failed --no-legend --plain").strip() == ""
    disk = installed_disk(node)
    assert disk["installed"].startswith("virtnode ")
    assert not disk["unfinished"]


def test_it_installs_unattended_and_starts_from_the_disk(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """By the kernel argument; then without the medium by each firmware, and with the medium left in."""
    with short_folder(tmp_path) as folder:
        boot = kernel_boot(artefacts, folder, ("node.install=smallest", "node.engine=192.0.2.1"))
        with switched_on(machine(folder, boot, accelerator), tmp_path / "evidence") as node:
            node.wait_for_shell()
            # It restarts by itself, with the same arguments, and finds that there is nothing to do.
            wait_until(lambda: has_restarted(node), INSTALL_SECONDS, "an installation and a restart")
        with switched_on(machine(folder, Boot(()), accelerator), tmp_path / "evidence") as node:
            is_installed(node)
            assert "192.0.2.1" in node.run("virtnodectl config show")
            node.run("touch /var/lib/virtnode/kept && sync")
        for firmware in (Firmware.UEFI, Firmware.SECURE_BOOT):
            # Its variables are as they left the factory: it has never heard of this disk.
            boot = uefi_boot(folder, firmware)
            with switched_on(machine(folder, boot, accelerator), tmp_path / "evidence") as node:
                is_installed(node)
                node.run("test -d /sys/firmware/efi")
        with switched_on(machine(folder, menu_boot(artefacts), accelerator), tmp_path / "evidence") as node:
            is_installed(node)
            node.run("test -e /var/lib/virtnode/kept")


def test_a_data_disk_joins_and_the_pool_outlives_a_restart(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path
) -> None:
    """One group over both disks, in it a thin pool that gives guests their disks, before and after."""
    with short_folder(tmp_path) as folder:
        extra = with_data_disk(folder)
        medium = kernel_boot(artefacts, folder, ("node.install=ask",))
        boot = Boot((*medium.options, *extra))
        with switched_on(machine(folder, boot, accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            names = {
                "smallest": f"serial:{SERIAL}",
                " --data bus:nvme": "",
                "size:4T-": f"serial:{DATA_SERIAL}",
            }
            assert DATA_SERIAL in node.run(recipe("install.md", "virtnodectl install plan smallest", names))
            command = recipe("install.md", "virtnodectl install run smallest", names)
            node.run(f"{command} --confirm {SERIAL[-4:]}", seconds=INSTALL_SECONDS)
        with switched_on(machine(folder, Boot(extra), accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            assert len(node.run("pvs --noheadings -o pv_name").split()) == 2
            group, pool, kind = node.run("lvs --noheadings -o vg_name,lv_name,segtype").split()
            assert (pool, kind) == ("guests", "thin-pool")
            node.run(f"lvcreate --yes --virtualsize 20G --thinpool {group}/{pool} --name disk1")
            node.run(f"mke2fs -q -t ext4 /dev/{group}/disk1 && sync")
            assert node.run("systemctl --failed --no-legend --plain").strip() == ""
        with switched_on(machine(folder, Boot(extra), accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            assert "ext4" in node.run(f"blkid /dev/{group}/disk1")


def with_data_disk(folder: Path) -> tuple[str, ...]:
    """Make a second disk with something on it, and plug it in."""
    path = folder / "data.img"
    with path.open("wb") as disk:
        disk.truncate(DISK_BYTES)
    run(["sfdisk", "--quiet", path], stdin="label: gpt\nstart=2048, type=linux\n")
    drive = f"if=none,id=data,format=raw,file={path}"
    # A BIOS starts the first disk on the bus, whatever is on it.
    return ("-drive", drive, "-device", f"virtio-blk-pci,drive=data,serial={DATA_SERIAL},addr=0x1c")


def has_restarted(node: Guest) -> bool:
    """Tell whether the node says that its disk has this system already."""
    try:
        return "has this system already" in node.try_run("virtnodectl install status", seconds=90)[1]
    except TimeoutError:
        return False


def uefi_boot(folder: Path, firmware: Firmware) -> Boot:
    """Give the machine UEFI whose variables are as they left the factory."""
    files = prepare_firmware(firmware, folder)
    assert files is not None
    flash = f"if=pflash,format={files.format}"
    secure = firmware is Firmware.SECURE_BOOT
    return Boot(
        (
            *(("-machine", "smm=on") if secure else ()),
            *(("-global", "driver=cfi.pflash01,property=secure,value=on") if secure else ()),
            *("-drive", f"{flash},unit=0,readonly=on,file={files.code}"),
            *("-drive", f"{flash},unit=1,file={files.variables}"),
        )
    )
