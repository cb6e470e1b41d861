"""QEMU's command line, built from a frozen description of a machine."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from image.accelerator import Accelerator
from image.firmware import Firmware, FirmwareFiles

HOST_ADDRESS = "10.0.2.2"
"""Where a machine on QEMU's user network finds the host."""


class Bus(StrEnum):
    """How a medium is attached."""

    CDROM = "cdrom"
    USB = "usb"
    VIRTIO = "virtio"
    SATA = "sata"
    SCSI = "scsi"
    NVME = "nvme"


class Display(StrEnum):
    """Where the machine's screen is shown; it exists, and can be dumped, in both cases."""

    NONE = "none"
    GTK = "gtk"


@dataclass(frozen=True)
class Drive:
    """A medium; what the machine writes goes to a temporary overlay that QEMU forgets, never to the file."""

    path: Path
    bus: Bus
    format: str = "raw"
    serial: str = ""
    """What the guest sees below /dev/disk/by-id; at most 20 characters."""
    bootable: bool = True


@dataclass(frozen=True)
class UserNetwork:
    """One virtio port behind QEMU's own DHCP, TFTP and address translation."""

    tftp: Path | None = None
    """The directory that TFTP serves."""
    bootfile: str = ""
    """What DHCP says to boot: a path below `tftp` or, for iPXE, a URL. Empty: not booted from."""
    forwards: tuple[tuple[int, int], ...] = ()
    """TCP ports: on the host's loopback address, in the machine."""


@dataclass(frozen=True)
class Terminal:
    """The terminal that QEMU was started from; Ctrl-A X ends the machine."""


@dataclass(frozen=True)
class LogFile:
    """A file that takes what the machine writes."""

    path: Path


@dataclass(frozen=True)
class Socket:
    """A Unix socket that somebody listens on already: QEMU connects to it as it starts."""

    path: Path


Channel = Terminal | LogFile | Socket


@dataclass(frozen=True)
class Port:
    """A virtio-serial port: /dev/virtio-ports/NAME in the guest."""

    name: str
    channel: Channel


@dataclass(frozen=True)
class Machine:
    """A virtual machine; memory in MiB. It boots its media in their order, the network last."""

    firmware: Firmware = Firmware.BIOS
    cpus: int = 2
    memory: int = 2048
    drives: tuple[Drive, ...] = ()
    network: UserNetwork | None = UserNetwork()
    serial: Channel = Terminal()
    display: Display = Display.NONE
    ports: tuple[Port, ...] = ()
    qmp: Socket | None = None
    credentials: tuple[Path, ...] = ()
    """Files that each hold one SMBIOS type 11 string, as `io.systemd.credential:NAME=VALUE`."""
    may_reboot: bool = True
    """Whether a reset starts the machine again instead of ending QEMU."""


def qemu_command(
    machine: Machine, *, accelerator: Accelerator, firmware: FirmwareFiles | None = None
) -> tuple[str, ...]:
    """Return the command that runs a machine; `firmware` as `prepare_firmware` gives it, None for BIOS."""
    return (
        accelerator.program,
        *("-no-user-config", "-nodefaults", "-name", "virtnode"),
        *accelerator.options,
        *_board_options(machine, firmware),
        *("-smp", str(machine.cpus), "-m", str(machine.memory)),
        *("-vga", "std", "-display", machine.display.value, "-device", "virtio-rng-pci"),
        *_serial_options(machine),
        *_drive_options(machine.drives),
        *_network_options(machine),
        *_credential_options(machine.credentials),
        *(() if machine.may_reboot else ("-no-reboot",)),
    )


def _board_options(machine: Machine, firmware: FirmwareFiles | None) -> tuple[str, ...]:
    secure = machine.firmware is Firmware.SECURE_BOOT
    board = ("-machine", "q35,smm=on" if secure else "q35")
    if firmware is None:
        return board
    code, variables = firmware.code, firmware.variables
    flash = f"if=pflash,format={firmware.format}"
    return (
        *board,
        # Without this, code outside system management mode could write the Secure Boot variables.
        *(("-global", "driver=cfi.pflash01,property=secure,value=on") if secure else ()),
        *("-drive", f"{flash},unit=0,readonly=on,file={_escape(code)}"),
        *("-drive", f"{flash},unit=1,file={_escape(variables)}"),
    )


def _serial_options(machine: Machine) -> tuple[str, ...]:
    options = ["-chardev", _chardev("console", machine.serial), "-serial", "chardev:console"]
    if isinstance(machine.serial, Terminal):
        options += ["-mon", "chardev=console,mode=readline"]
    if machine.ports:
        options += ["-device", "virtio-serial-pci"]
    for number, port in enumerate(machine.ports):
        options += ["-chardev", _chardev(f"port{number}", port.channel)]
        options += ["-device", f"virtserialport,chardev=port{number},name={port.name}"]
    if machine.qmp:
        options += ["-chardev", _chardev("qmp", machine.qmp), "-mon", "chardev=qmp,mode=control"]
    return tuple(options)


def _chardev(name: str, channel: Channel) -> str:
    match channel:
        case Terminal():
            return f"stdio,id={name},mux=on,signal=off"
        case LogFile(path):
            return f"file,id={name},path={_escape(path)}"
        case Socket(path):
            return f"socket,id={name},path={_escape(path)}"


def _drive_options(drives: tuple[Drive, ...]) -> tuple[str, ...]:
    options: list[str] = []
    if any(drive.bus is Bus.USB for drive in drives):
        options += ["-device", "qemu-xhci"]
    if any(drive.bus is Bus.SCSI for drive in drives):
        options += ["-device", "virtio-scsi-pci"]
    for number, drive in enumerate(drives):
        options += ["-drive", _drive(number, drive), "-device", _drive_device(number, drive)]
    return tuple(options)


def _drive(number: int, drive: Drive) -> str:
    access = "media=cdrom,readonly=on" if drive.bus is Bus.CDROM else "snapshot=on"
    return f"if=none,id=drive{number},format={drive.format},{access},file={_escape(drive.path)}"


DEVICES = {
    Bus.CDROM: "ide-cd",
    Bus.USB: "usb-storage,removable=on",
    Bus.VIRTIO: "virtio-blk-pci",
    Bus.SATA: "ide-hd",
    Bus.SCSI: "scsi-hd",
    Bus.NVME: "nvme",
}


def _drive_device(number: int, drive: Drive) -> str:
    device = f"{DEVICES[drive.bus]},drive=drive{number}"
    if drive.bus in (Bus.CDROM, Bus.SATA):
        device += f",bus=ide.{number}"
    if drive.serial or drive.bus is Bus.NVME:
        device += f",serial={drive.serial or f'drive{number}'}"
    if drive.bootable:
        device += f",bootindex={number + 1}"
    return device


def _network_options(machine: Machine) -> tuple[str, ...]:
    network = machine.network
    if network is None:
        return ()
    netdev = "user,id=net0"
    if network.tftp:
        netdev += f",tftp={_escape(network.tftp)}"
    if network.bootfile:
        netdev += f",bootfile={_escape(network.bootfile)}"
    for host_port, guest_port in network.forwards:
        netdev += f",hostfwd=tcp:127.0.0.1:{host_port}-:{guest_port}"
    device = "virtio-net-pci,netdev=net0"
    if network.bootfile:
        device += f",bootindex={len(machine.drives) + 1}"
    if not network.bootfile or machine.firmware is not Firmware.BIOS:
        # UEFI has a network driver of its own; iPXE's unsigned one would take its place.
        device += ",romfile="
    return ("-netdev", netdev, "-device", device)


def _credential_options(files: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(word for file in files for word in ("-smbios", f"type=11,path={_escape(file)}"))


def _escape(value: Path | str) -> str:
    """Double the commas, which part QEMU's options from one another."""
    return str(value).replace(",", ",,")
