"""Installation from every medium, by every firmware, to every kind of disk, and from there to an engine."""

import contextlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.firmware import Firmware
from image.main import main
from image.qemu import HOST_ADDRESS
from nodeagent.install.marker import read_marker
from nodelib.slots import ESP, MEBIBYTE, SLOT_A, STATE, lay_out
from tests.vm.guest import (
    Boot,
    Bus,
    Guest,
    Hardware,
    cd_options,
    network_boot,
    switched_on,
    usb_options,
    wait_until,
)
from tests.vm.joining import Engine, running_engine, short_folder
from tests.vm.test_install import INSTALL_SECONDS, make_disk, uefi_boot, wait_for_agent

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(3600)]


@dataclass(frozen=True)
class Way:
    """One way onto a disk."""

    medium: str
    firmware: Firmware
    bus: Bus

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.medium}-{self.firmware.value}-{self.bus.value}"


WAYS = (
    Way("cd", Firmware.BIOS, Bus.SATA),
    Way("usb", Firmware.UEFI, Bus.NVME),
    Way("pxe", Firmware.BIOS, Bus.SCSI),
    Way("cd", Firmware.SECURE_BOOT, Bus.VIRTIO),
    Way("usb", Firmware.BIOS, Bus.VIRTIO),
    Way("pxe", Firmware.UEFI, Bus.SATA),
)


@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_it_gets_onto_the_disk_and_joins_from_it(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path, way: Way
) -> None:
    """The medium alone says what to install and which engine to join; the disk alone then does both."""
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        disk = make_disk(folder)
        hardware = Hardware(folder, str(uuid.uuid4()), state=disk, bus=way.bus)
        with started_by(artefacts, folder, way, arguments_for(engine)) as boot:
            node = Guest(hardware, boot, accelerator)
            with switched_on(node, tmp_path / "evidence", engine.log):
                node.wait_for_shell()
                # That it restarts by itself is seen elsewhere; here the plug goes with the last write.
                wait_until(lambda: is_done(disk), INSTALL_SECONDS, "the end of an installation")
        boot = uefi_boot(folder, way.firmware) if way.firmware is not Firmware.BIOS else Boot(())
        node = Guest(hardware, boot, accelerator)
        with switched_on(node, tmp_path / "evidence", engine.log):
            wait_for_agent(node)
            assert "root=live:PARTUUID=" in node.run("cat /proc/cmdline")
            assert engine.wait_for_state("up")
            assert node.run("systemctl --failed --no-legend --plain").strip() == ""


def is_done(disk: Path) -> bool:
    """Tell whether the disk says that it is whole."""
    esp = next(region for region in lay_out({ESP: 256, SLOT_A: 1024, STATE: 1024}) if region.name == ESP)
    marker = read_marker(disk, esp.start * MEBIBYTE)
    return marker is not None and marker.finished


def arguments_for(engine: Engine) -> tuple[str, ...]:
    """Say what a person would: install, and join this engine without being asked."""
    token = engine.call("token", "create", "--uses", "1", "--expires", "1h").split()[0]
    engine_is = f"node.engine={HOST_ADDRESS}:{engine.link_port}"
    return ("node.install=smallest", engine_is, f"node.ca={engine.pin()}", f"node.token={token}")


@contextlib.contextmanager
def started_by(artefacts: Path, folder: Path, way: Way, arguments: Sequence[str]) -> Iterator[Boot]:
    """Give a machine a medium with these arguments, and its firmware."""
    flash = uefi_boot(folder, way.firmware).options if way.firmware is not Firmware.BIOS else ()
    if way.medium == "pxe":
        with network_boot(artefacts, folder, arguments) as boot:
            yield Boot((*flash, *boot.options), boot.network)
        return
    iso = folder / "custom.iso"
    source = next(artefacts.glob("*.iso"))
    words = [word for argument in arguments for word in ("--karg", argument)]
    assert main(["customize", str(source), "-o", str(iso), *words]) == 0
    attach: Mapping[str, tuple[str, ...]] = {"cd": cd_options(iso), "usb": usb_options(iso)}
    yield Boot((*flash, "-vga", "std", *attach[way.medium]))
