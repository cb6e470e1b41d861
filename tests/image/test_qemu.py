"""QEMU's command line for each firmware, medium and channel."""

import itertools
from pathlib import Path

import pytest

from image.accelerator import Accelerator, emulator
from image.firmware import Firmware, FirmwareFiles
from image.qemu import (
    Bus,
    Drive,
    LogFile,
    Machine,
    Port,
    Socket,
    UserNetwork,
    qemu_command,
)

SLOW = Accelerator("qemu", "tcg", ("-accel", "tcg"))
FLASH = FirmwareFiles(code=Path("/code.fd"), variables=Path("/own/variables.raw"), format="raw")


def command(machine: Machine, firmware: FirmwareFiles | None = None) -> tuple[str, ...]:
    """Return the command for a machine without a real accelerator."""
    return qemu_command(machine, accelerator=SLOW, firmware=firmware)


def values(argv: tuple[str, ...], option: str) -> list[str]:
    """Return what follows each occurrence of an option."""
    return [value for name, value in itertools.pairwise(argv) if name == option]


def test_whole_command_for_a_cd_in_a_bios_machine() -> None:
    """The command of the plainest machine, word for word."""
    machine = Machine(drives=(Drive(Path("/node.iso"), Bus.CDROM),))
    assert list(command(machine)) == [
        *("qemu", "-no-user-config", "-nodefaults", "-name", "virtnode", "-accel", "tcg"),
        *("-machine", "q35", "-smp", "2", "-m", "2048"),
        *("-vga", "std", "-display", "none", "-device", "virtio-rng-pci"),
        *("-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console"),
        *("-mon", "chardev=console,mode=readline"),
        *("-drive", "if=none,id=drive0,format=raw,media=cdrom,readonly=on,file=/node.iso"),
        *("-device", "ide-cd,drive=drive0,bus=ide.0,bootindex=1"),
        *("-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile="),
    ]


@pytest.mark.parametrize(
    ("bus", "device", "controllers"),
    [
        (Bus.USB, "usb-storage,removable=on,drive=drive0,bootindex=1", ["qemu-xhci"]),
        (Bus.VIRTIO, "virtio-blk-pci,drive=drive0,bootindex=1", []),
        (Bus.SATA, "ide-hd,drive=drive0,bus=ide.0,bootindex=1", []),
        (Bus.SCSI, "scsi-hd,drive=drive0,bootindex=1", ["virtio-scsi-pci"]),
        (Bus.NVME, "nvme,drive=drive0,serial=drive0,bootindex=1", []),
    ],
)
def test_each_bus_has_its_device_and_spares_the_file(bus: Bus, device: str, controllers: list[str]) -> None:
    """A disk is attached as asked, and the machine writes to an overlay."""
    argv = command(Machine(drives=(Drive(Path("/disk.raw"), bus),), network=None))
    assert values(argv, "-device") == ["virtio-rng-pci", *controllers, device]
    assert values(argv, "-drive") == ["if=none,id=drive0,format=raw,snapshot=on,file=/disk.raw"]


def test_disk_that_is_not_booted_has_no_boot_index() -> None:
    """A second disk is only data, with the name it is found by."""
    argv = command(
        Machine(drives=(Drive(Path("/d"), Bus.VIRTIO, serial="data", bootable=False),), network=None)
    )
    assert "virtio-blk-pci,drive=drive0,serial=data" in argv


def test_uefi_has_its_code_read_only_and_variables_of_its_own() -> None:
    """Both flash images are attached; only the variables can be written."""
    argv = command(Machine(firmware=Firmware.UEFI), FLASH)
    assert values(argv, "-drive") == [
        "if=pflash,format=raw,unit=0,readonly=on,file=/code.fd",
        "if=pflash,format=raw,unit=1,file=/own/variables.raw",
    ]
    assert values(argv, "-machine") == ["q35"]


def test_secure_boot_protects_its_variables() -> None:
    """System management mode is on, and the flash may be written from there only."""
    argv = command(Machine(firmware=Firmware.SECURE_BOOT), FLASH)
    assert values(argv, "-machine") == ["q35,smm=on"]
    assert values(argv, "-global") == ["driver=cfi.pflash01,property=secure,value=on"]


def test_bios_boots_the_network_with_the_card_s_own_rom() -> None:
    """The network comes after the media, and the boot file is what DHCP offers."""
    network = UserNetwork(tftp=Path("/pxe"), bootfile="boot.ipxe")
    argv = command(Machine(network=network))
    assert values(argv, "-netdev") == ["user,id=net0,tftp=/pxe,bootfile=boot.ipxe"]
    assert "virtio-net-pci,netdev=net0,bootindex=1" in argv


def test_uefi_boots_the_network_with_its_own_driver() -> None:
    """The card's ROM is left out, as UEFI would run it in place of its own driver."""
    argv = command(Machine(firmware=Firmware.UEFI, network=UserNetwork(bootfile="shimx64.efi")), FLASH)
    assert "virtio-net-pci,netdev=net0,bootindex=1,romfile=" in argv


def test_ports_are_forwarded_from_loopback_only() -> None:
    """A forwarded port is not offered to the host's network."""
    argv = command(Machine(network=UserNetwork(forwards=((2222, 22), (9090, 9090)))))
    assert values(argv, "-netdev") == [
        "user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:9090-:9090"
    ]


def test_channels_go_to_files_and_sockets() -> None:
    """Console, virtio-serial port and QMP each have a character device."""
    machine = Machine(
        serial=LogFile(Path("/console.log")),
        ports=(Port("org.virtnode.verify", Socket(Path("/report"))),),
        qmp=Socket(Path("/qmp")),
        network=None,
    )
    argv = command(machine)
    assert values(argv, "-chardev") == [
        "file,id=console,path=/console.log",
        "socket,id=port0,path=/report",
        "socket,id=qmp,path=/qmp",
    ]
    assert values(argv, "-mon") == ["chardev=qmp,mode=control"]
    assert "virtserialport,chardev=port0,name=org.virtnode.verify" in argv


def test_credentials_are_smbios_strings_from_files() -> None:
    """A credential's text is never on the command line."""
    argv = command(Machine(credentials=(Path("/c/0"), Path("/c/1"))))
    assert values(argv, "-smbios") == ["type=11,path=/c/0", "type=11,path=/c/1"]


def test_commas_in_paths_are_doubled() -> None:
    """A path with a comma stays one value."""
    argv = command(Machine(drives=(Drive(Path("/a,b.iso"), Bus.CDROM),)))
    assert values(argv, "-drive")[0].endswith("file=/a,,b.iso")


@pytest.mark.parametrize(("version", "sound"), [((7, 2), False), ((8, 0), True), ((10, 0), True)])
def test_emulated_processor_runs_guests_and_depends_on_the_version(
    version: tuple[int, int], sound: bool
) -> None:
    """SVM makes /dev/kvm; the broken instruction is left out of the releases where it is broken."""
    accelerator, threads, option, processor = emulator(version).options
    assert (accelerator, threads, option) == ("-accel", "tcg,thread=multi", "-cpu")
    assert processor.startswith("EPYC,+svm,+npt,")
    assert ("-cx16" not in processor.split(",")) is sound
