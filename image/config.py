"""What a kickstart asks for, as frozen data: the only form the rest of the program knows it in."""

import re
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

SIZE_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"([0-9]+)(KB|MB|GB|)")


def parse_size(text: str) -> int:
    """Read a size, as in 120MB (10^6 bytes each), 1GB or plain bytes; raises ValueError for anything else."""
    match = _SIZE.fullmatch(text)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{text} is not a size, as in 120MB, 1GB or 120000000 (bytes)")
    return int(match[1]) * SIZE_UNITS[match[2]]


@dataclass(frozen=True, order=True)
class Origin:
    """Where something was said: a kickstart file and its line, counted from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class PublicKey:
    """An Ed25519 key that nodes shall trust, by the name of its file without the suffix."""

    name: str
    identifier: str
    """SHA-256 of the key as DER, in hexadecimal."""
    pem: str


@dataclass(frozen=True)
class Repository:
    """A package repository: just one of the three addresses is set; `name` is empty for the `url` command."""

    name: str
    baseurl: str = ""
    mirrorlist: str = ""
    metalink: str = ""
    includepkgs: tuple[str, ...] = ()
    excludepkgs: tuple[str, ...] = ()
    cost: int | None = None
    proxy: str = ""
    verify_tls: bool = True


@dataclass(frozen=True)
class Packages:
    """The `%packages` section: names and globs to install, groups, and what to leave out."""

    install: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    environment: str = ""
    exclude: tuple[str, ...] = ()
    exclude_docs: bool = False
    exclude_weakdeps: bool = False
    languages: tuple[str, ...] | None = None
    """Locales to keep translations for (`--inst-langs`); None keeps all."""


@dataclass(frozen=True)
class Group:
    """A `group` command."""

    name: str
    gid: int | None = None


@dataclass(frozen=True)
class User:
    """A `user` command; `password` is a crypt(3) hash, or empty for a locked account."""

    name: str
    password: str = ""
    uid: int | None = None
    gid: int | None = None
    gecos: str = ""
    home: str = ""
    shell: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class SshKey:
    """An `sshkey` command: one public key for one account."""

    user: str
    key: str


class BootProtocol(StrEnum):
    """How an interface gets its IPv4 address."""

    DHCP = "dhcp"
    STATIC = "static"
    NONE = "none"


@dataclass(frozen=True)
class Network:
    """One `network` command that configures an interface; addresses as a person writes them."""

    device: str
    """An interface name, a MAC address, or `link` for every wired port."""
    protocol: BootProtocol = BootProtocol.DHCP
    ip: str = ""
    """IPv4 address with prefix length, as 192.0.2.5/24; empty unless static."""
    gateway: str = ""
    ipv6: str = "auto"
    """`auto`, `dhcp`, `ignore`, or an IPv6 address with prefix length."""
    ipv6_gateway: str = ""
    nameservers: tuple[str, ...] = ()
    mtu: int | None = None
    vlan_id: int | None = None
    bond_ports: tuple[str, ...] = ()
    bond_options: tuple[tuple[str, str], ...] = ()
    bridge_ports: tuple[str, ...] = ()
    on_boot: bool = True


@dataclass(frozen=True)
class Firewall:
    """The `firewall` command: inbound is refused but for these services and ports (`80/tcp`, `59-69/udp`)."""

    enabled: bool = True
    services: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()


class Selinux(StrEnum):
    """The `selinux` command."""

    ENFORCING = "enforcing"
    PERMISSIVE = "permissive"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Partition:
    """A `part` command: sizes in MiB. The disk layout names the mount points it honours."""

    mountpoint: str
    size: int
    filesystem: str = ""


@dataclass(frozen=True)
class Script:
    """A `%post` section, run in the order of the kickstart."""

    origin: Origin
    text: str
    chroot: bool = True
    interpreter: str = "/bin/sh"
    error_on_fail: bool = False
    log: str = ""


@dataclass(frozen=True)
class Trim:
    """What `%addon virtnode_image` says to keep and to drop."""

    keep_drivers: tuple[str, ...] = ()
    """Driver groups by name, as kickstarts/drivers.toml defines them."""
    templates: tuple[Path, ...] = ()
    """Files in lorax's template language, absolute, in order."""
    drop_packages: tuple[str, ...] = ()
    drop_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImageConfig:
    """One kickstart with everything it includes, checked."""

    source: Path
    base: str
    suite: str = ""
    """Debian's release name, or Fedora's number: the base's `releasever`."""
    size_budget: int | None = None
    """The ISO's bound in bytes."""
    gpg_keys: tuple[str, ...] = ()
    """Paths (absolute) of the keys that sign the repositories; the base's own keyring when empty."""
    update_keys: tuple[PublicKey, ...] = ()
    """Who may sign the updates that nodes take."""
    config_keys: tuple[PublicKey, ...] = ()
    """Who must sign what a medium says of its node; without any, nobody has to."""
    trim: Trim = Trim()
    url: Repository | None = None
    repositories: tuple[Repository, ...] = ()
    packages: Packages = Packages()
    language: str = "C.UTF-8"
    keyboard: str = "us"
    timezone: str = "UTC"
    utc_clock: bool = True
    ntp_servers: tuple[str, ...] = ()
    hostname: str = ""
    root_password: str = ""
    """A crypt(3) hash; empty locks the account."""
    groups: tuple[Group, ...] = ()
    users: tuple[User, ...] = ()
    ssh_keys: tuple[SshKey, ...] = ()
    networks: tuple[Network, ...] = ()
    firewall: Firewall = Firewall()
    selinux: Selinux = Selinux.ENFORCING
    services_enabled: tuple[str, ...] = ()
    services_disabled: tuple[str, ...] = ()
    kernel_arguments: tuple[str, ...] = ()
    boot_timeout: int = 5
    """Seconds the boot menu waits."""
    partitions: tuple[Partition, ...] = ()
    thin_pool: bool = False
    """`logvol --thinpool`: an installation makes a thin pool of the volume group for guests."""
    install_disk: str = ""
    """`ignoredisk --only-use`: the device that an installation by nobody is for."""
    install_erases: bool = False
    """`clearpart --all`: it may erase partitions and file systems there."""
    install_ends: str = ""
    """`reboot` or `poweroff`, where the kickstart says one."""
    post_scripts: tuple[Script, ...] = field(default=())


def config_as_json(config: ImageConfig) -> dict[str, object]:
    """Return a configuration in JSON's own types: the same kickstart always gives the same."""
    return {name: _as_json(value) for name, value in asdict(config).items()}


def _as_json(value: object) -> object:
    if isinstance(value, dict):
        return {name: _as_json(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, (Path, StrEnum)) else value
