"""What a node shall be: the types of `node.toml`, each key with its meaning and the form of its values."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import TypeVar

VERSION = 2
"""The version of `node.toml` that this node writes."""

BOND_MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)

T = TypeVar("T")


def key(default: T, text: str, form: str = "", *, secret: bool = False, needed: bool = False) -> T:
    """Declare a key: its default, its meaning, and the name of its values' form (`intent_forms.FORMS`).

    What is `secret` is never shown; what is `needed` must be there whenever its table is.
    """
    meaning = {"text": text, "form": form, "secret": secret, "needed": needed}
    return field(default=default, metadata=meaning)


@dataclass(frozen=True, kw_only=True)
class EngineIntent:
    """The engine to join; without an address the node stays by itself."""

    address: str = key("", "Host name or address of the engine, with a port if it is not 7443.", "host-port")
    ca: tuple[str, ...] = key((), "SHA-256 of the engine's CA certificate; one of them must match.", "pin")
    token: str = key("", "A join token made by the engine; it saves the approval.", "token", secret=True)
    proxy: str = key("", "An HTTP proxy on the way to the engine.", "proxy", secret=True)


@dataclass(frozen=True, kw_only=True)
class SystemIntent:
    """The machine itself."""

    hostname: str = key("", "The host name; empty takes it from DHCP.", "hostname")
    timezone: str = key("", "The time zone; empty leaves the image's.", "timezone")
    keymap: str = key("", "The keyboard layout of the screen; empty leaves the image's.", "keymap")


@dataclass(frozen=True, kw_only=True)
class DnsIntent:
    """Name servers for every link, beside those that links bring along."""

    servers: tuple[str, ...] = key((), "Addresses of name servers.", "address")
    search: tuple[str, ...] = key((), "Domains to complete short names with.", "domain")


@dataclass(frozen=True, kw_only=True)
class NtpIntent:
    """Where the time comes from."""

    servers: tuple[str, ...] = key((), "Time servers; without any the image's are asked.", "host")


@dataclass(frozen=True, kw_only=True)
class AccessIntent:
    """Who may log in, and who may change this node."""

    password: str = key(
        "", "The administrator's password, as crypt(3) keeps it.", "password-hash", secret=True
    )
    idle_lock: int = key(
        300, "Seconds without a change after which a console locks itself; 0 never.", "idle-lock"
    )
    ssh: str = key(
        "image",
        "SSH: `on`, `off`, `automatic` (while something is wrong with the node), or `image`: as it has it.",
        "ssh",
    )
    ssh_keys: tuple[str, ...] = key((), "Public keys that may log in as root or admin.", "ssh-key")


@dataclass(frozen=True, kw_only=True)
class StorageIntent:
    """Storage that is reached over the network."""

    initiator: str = key("", "This node's iSCSI name; empty leaves the image's.", "iscsi-name")


@dataclass(frozen=True, kw_only=True)
class FirewallIntent:
    """What comes in beside what the image lets in."""

    open: tuple[str, ...] = key((), "Ports to open.", "port")


@dataclass(frozen=True, kw_only=True)
class LoggingIntent:
    """Where the journal goes beside the node's memory."""

    syslog: tuple[str, ...] = key((), "Syslog servers that get a copy of the journal.", "syslog")


@dataclass(frozen=True, kw_only=True)
class InstallIntent:
    """How this node is installed to disk; nothing happens unless `node.install` asks for it."""

    rule: str = key("", "Which disk: a device, or a rule that means exactly one.", "disk-rule")
    keep: bool = key(False, "Keep state and data of a node that is installed there.")
    wipe: tuple[str, ...] = key(
        (), "What may be destroyed without asking: volume groups by name, `contents`, `all`.", "treasure"
    )
    esp: int = key(256, "The boot partition, in MiB.", "esp-size")
    slot: int = key(1024, "Each of the two slots, in MiB.", "slot-size")
    state: int = key(1024, "The state, in MiB.", "state-size")
    data: str | tuple[str, ...] = key(
        "lvm",
        "What becomes of the rest: a volume group, or nothing; or rules of the disks that join that group.",
        "data",
    )
    thin: bool = key(False, "Make a thin pool of the volume group.")
    mirror: str = key("", "A second disk that gets the same: a device, or a rule for one disk.", "disk-rule")
    after: str = key("reboot", "What an unattended installation ends with.", "after")
    webhook: str = key("", "Where start, success and failure are told.", "webhook", secret=True)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A network port, by exactly one of its properties."""

    mac: str = key("", "The permanent MAC address.", "mac")
    name: str = key("", "The name that the kernel or udev gives it.", "interface")
    path: str = key("", "Its place on its bus, as udev names it.", "path")


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses of a link, whatever its kind."""

    ipv4: str | tuple[str, ...] | None = key(
        None,
        "`dhcp`, `off`, or addresses with prefix length; by default `dhcp`, or `off` for members.",
        "ipv4",
    )
    gateway4: str = key("", "The IPv4 router.", "ipv4-address")
    ipv6: str | tuple[str, ...] | None = key(
        None, "`auto` (router advertisements), `dhcp`, `off`, or addresses with prefix length.", "ipv6"
    )
    gateway6: str = key("", "The IPv6 router.", "ipv6-address")
    dns: tuple[str, ...] = key((), "Name servers to ask over this link.", "address")
    mtu: int = key(0, "The largest packet in bytes; 0 leaves it as it is.", "mtu")

    @property
    def static(self) -> tuple[str, ...]:
        """The addresses that are spelled out, of both families."""
        given = [value for value in (self.ipv4, self.ipv6) if isinstance(value, tuple)]
        return tuple(address for value in given for address in value)


@dataclass(frozen=True, kw_only=True)
class NicIntent(Addresses):
    """A physical port."""

    match: Match = key(
        Match(), "Which port it is: `mac`, `name` or `path`, exactly one of them.", needed=True
    )


@dataclass(frozen=True, kw_only=True)
class BondIntent(Addresses):
    """Several ports that act as one."""

    name: str = key("", "The bond's own name.", "interface", needed=True)
    mode: str = key("active-backup", "How the ports share the work.", "bond-mode")
    members: tuple[str, ...] = key(
        (), "The ports, each a MAC address, a path or a name.", "reference", needed=True
    )
    lacp_rate: str = key("", "How often LACP speaks: `slow` or `fast`; for 802.3ad alone.", "lacp-rate")
    miimon: int = key(100, "Milliseconds between two looks at the ports' carriers.", "miimon")


@dataclass(frozen=True, kw_only=True)
class VlanIntent(Addresses):
    """A tagged network over a port, a bond or a bridge."""

    name: str = key("", "Its own name; empty makes one of `over` and `id`.", "interface")
    id: int = key(0, "The tag.", "vlan-id", needed=True)
    over: str = key("", "What it runs over: a MAC address, a path or a name.", "reference", needed=True)


@dataclass(frozen=True, kw_only=True)
class BridgeIntent(Addresses):
    """A switch inside the node, to which guests' ports are plugged."""

    name: str = key("", "The bridge's own name.", "interface", needed=True)
    members: tuple[str, ...] = key(
        (), "What is plugged into it: a MAC address, a path or a name.", "reference"
    )
    vlan_aware: bool = key(False, "Guests' ports may be given tags of their own.")


@dataclass(frozen=True, kw_only=True)
class NetworkIntent:
    """The network; ports that nothing here speaks of stay as the image has them."""

    nic: tuple[NicIntent, ...] = key((), "Physical ports.")
    bond: tuple[BondIntent, ...] = key((), "Bonds.")
    vlan: tuple[VlanIntent, ...] = key((), "VLANs.")
    bridge: tuple[BridgeIntent, ...] = key((), "Bridges.")


@dataclass(frozen=True, kw_only=True)
class Intent:
    """Everything that a person or the engine decided about a node."""

    version: int = key(VERSION, "The version of this document's form.")
    ask: tuple[str, ...] = key((), "Keys that a person at the console is asked for, once.", "asked-key")
    engine: EngineIntent = key(EngineIntent(), "The engine to join.")
    system: SystemIntent = key(SystemIntent(), "Name, time zone and keyboard.")
    dns: DnsIntent = key(DnsIntent(), "Name resolution.")
    ntp: NtpIntent = key(NtpIntent(), "Time.")
    access: AccessIntent = key(AccessIntent(), "Access: password, lock, SSH.")
    storage: StorageIntent = key(StorageIntent(), "Storage over the network.")
    firewall: FirewallIntent = key(FirewallIntent(), "The packet filter.")
    logging: LoggingIntent = key(LoggingIntent(), "The journal's copies.")
    network: NetworkIntent = key(NetworkIntent(), "Links and their addresses.")
    install: InstallIntent = key(InstallIntent(), "Installation to disk.")


@dataclass(frozen=True, kw_only=True)
class BootArguments:
    """The `node.*` kernel arguments that are about this boot alone, not about what the node shall be."""

    config_url: str = ""
    """node.config: where more configuration can be fetched."""
    console: str = ""
    stateless: bool = False
    install: str = ""
    survey_url: str = ""
    """node.survey: where the machine's hardware is posted."""


@dataclass(frozen=True)
class LoadedIntent:
    """What all sources say together."""

    intent: Intent
    document: dict[str, object]
    """The same as tables, without what is by default."""
    origins: dict[str, str]
    """Dotted key: the source that had the last word."""
    problems: tuple[str, ...] = ()
    """Why a source was left out, one line each: `file:line: key: what is wrong; what is allowed`."""
    boot: BootArguments = BootArguments()


def to_document(intent: object) -> dict[str, object]:
    """Turn an intent, or a part of one, into tables, without what is as it is by default."""
    document: dict[str, object] = {}
    assert is_dataclass(intent)
    for one in fields(intent):
        value = getattr(intent, one.name)
        if value != one.default or one.name == "version":
            document[one.name] = _plain(value)
    return document


def _plain(value: object) -> object:
    if is_dataclass(value):
        return to_document(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
