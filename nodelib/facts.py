"""What a node is: the hardware and the software that it finds on itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cpu:
    """Processors, as the kernel counts them."""

    model: str = ""
    vendor: str = ""
    architecture: str = ""
    sockets: int = 0
    cores: int = 0
    """Cores in all sockets."""
    threads: int = 0
    flags: tuple[str, ...] = ()
    nested: bool = False
    """Guests may themselves use virtualisation."""


@dataclass(frozen=True)
class NumaNode:
    """One memory domain."""

    number: int
    memory_bytes: int
    cpus: tuple[int, ...]


@dataclass(frozen=True)
class Memory:
    """RAM in bytes, and its huge pages."""

    total_bytes: int = 0
    available_bytes: int = 0
    swap_bytes: int = 0
    huge_pages: Mapping[str, int] = field(default_factory=dict)
    """Number of pages by size in KiB, as text."""


@dataclass(frozen=True)
class LldpNeighbour:
    """The switch port that was heard on a NIC."""

    chassis: str
    port: str
    system: str = ""


@dataclass(frozen=True)
class Nic:
    """A network interface."""

    name: str
    kind: str
    """physical, bond, bridge, vlan or other."""
    mac: str = ""
    path: str = ""
    """The device's place on its bus, as udev names it: pci-0000:00:03.0."""
    driver: str = ""
    speed_mbps: int | None = None
    mtu: int = 0
    link: bool = False
    """A carrier is there."""
    addresses: tuple[str, ...] = ()
    """IPv4 and IPv6 with prefix length."""
    master: str = ""
    """The bond or bridge it belongs to."""
    gateways: tuple[str, ...] = ()
    """Default routers in force on it."""
    lldp: LldpNeighbour | None = None


@dataclass(frozen=True)
class Disk:
    """A block device that can hold a system or guests' data."""

    name: str
    path: str = ""
    """The stable name below /dev/disk/by-path."""
    model: str = ""
    serial: str = ""
    size_bytes: int = 0
    rotational: bool = False
    bus: str = ""
    holds: tuple[str, ...] = ()
    """What is on it, each as a person says it: `gpt partition table`, `ext4 "data"`, `LVM2_member`."""


@dataclass(frozen=True)
class Firmware:
    """What starts the machine."""

    kind: str = ""
    """bios or uefi."""
    vendor: str = ""
    version: str = ""
    secure_boot: bool | None = None
    """None where the firmware has no such thing."""
    tpm: str = ""
    """The TPM's version, empty without one."""


@dataclass(frozen=True)
class Hardware:
    """The machine itself, as its firmware tables name it."""

    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    uuid: str = ""


@dataclass(frozen=True)
class Virtualisation:
    """What the node can offer to guests."""

    kvm: bool = False
    libvirt: str = ""
    """libvirt's version, empty where it does not answer."""
    qemu: str = ""
    domain_types: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    guest_cpu: str = ""
    """The processor model that libvirt says the host is."""
    iommu: bool = False


@dataclass(frozen=True)
class Facts:
    """All of it; what could not be found is empty, never made up."""

    hostname: str = ""
    product: str = ""
    """Name and version of the image."""
    build_id: str = ""
    kernel: str = ""
    boot_id: str = ""
    booted_at: float = 0.0
    hardware: Hardware = Hardware()
    firmware: Firmware = Firmware()
    cpu: Cpu = Cpu()
    numa: tuple[NumaNode, ...] = ()
    memory: Memory = Memory()
    nics: tuple[Nic, ...] = ()
    name_servers: tuple[str, ...] = ()
    """Those in force, of the whole node and of its links."""
    disks: tuple[Disk, ...] = ()
    virtualisation: Virtualisation = Virtualisation()
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of what matters to guests, by package: qemu, libvirt, kernel, systemd."""
