"""The forms that values of `node.toml` have: what is allowed, in words, as a check and as JSON Schema."""

import base64
import ipaddress
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from urllib.parse import urlsplit

from nodeagent.intent import BOND_MODES, Intent
from nodelib.errors import VirtnodeError
from nodelib.install_rules import read_rule

LONGEST_NAME = 15
"""Letters in the name of an interface, for the kernel keeps 16 bytes."""
MAC = r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOST_NAME = rf"(?=.{{1,253}}\.?$){LABEL}(?:\.{LABEL})*\.?"
INTERFACE = r"(?!\.{1,2}$)[A-Za-z0-9._@-]+"
ISCSI_NAME = (
    r"iqn\.[0-9]{4}-(?:0[1-9]|1[0-2])\.(?=.{1,211}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[a-z0-9.:-]+)?"
    r"|eui\.[0-9A-Fa-f]{16}|naa\.(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})"
)
PASSWORD_HASH = r"\$(?:y|gy|7|6|5|2b)\$[./A-Za-z0-9$=,]{8,200}"
ANY = 0
KEY_PARTS: Mapping[str, tuple[int, ...]] = {
    "ssh-ed25519": (32,),
    "ssh-rsa": (ANY, ANY),
    "ecdsa-sha2-nistp256": (8, 65),
    "ecdsa-sha2-nistp384": (8, 97),
    "ecdsa-sha2-nistp521": (8, 133),
    "sk-ssh-ed25519@openssh.com": (32, ANY),
    "sk-ecdsa-sha2-nistp256@openssh.com": (8, 65, ANY),
}
"""SSH's types of keys, and how many bytes the parts of each have, after its name (RFC 4253, 5656, 8709)."""


@dataclass(frozen=True)
class Form:
    """What a value may be: the words for a person, the check, and what JSON Schema can say of it."""

    allowed: str
    check: Callable[[str | int], bool]
    schema: Mapping[str, object] = field(default_factory=dict)


def form_of_pattern(allowed: str, pattern: str) -> Form:
    """Make a form of text that matches a regular expression from end to end."""
    compiled = re.compile(pattern)
    return Form(
        allowed, lambda value: compiled.fullmatch(str(value)) is not None, {"pattern": f"^(?:{pattern})$"}
    )


def form_of_words(*words: str) -> Form:
    """Make a form of a closed list of words."""
    return Form(", ".join(words), lambda value: value in words, {"enum": list(words)})


def form_of_range(allowed: str, lowest: int, highest: int, *others: int) -> Form:
    """Make a form of whole numbers from lowest to highest, and of some others."""
    schema: dict[str, object] = {"minimum": lowest, "maximum": highest}
    if others:
        schema = {"anyOf": [schema, {"enum": list(others)}]}
    return Form(allowed, lambda value: value in others or lowest <= int(value) <= highest, schema)


def is_address(value: str | int, family: int = 0) -> bool:
    """Tell whether a text is an IP address, of one family if it is given."""
    try:
        found = ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return "%" not in str(value) and family in (0, found.version)


def is_interface_address(value: str | int, family: int) -> bool:
    """Tell whether a text is an address that a link can have, with its prefix length."""
    try:
        found = ipaddress.ip_interface(str(value))
    except ValueError:
        return False
    unusable = found.ip.is_unspecified or found.ip.is_multicast or found.ip.is_loopback
    return "/" in str(value) and "%" not in str(value) and found.version == family and not unusable


def is_host(value: str | int) -> bool:
    """Tell whether a text is a host name or an IP address."""
    text = str(value)
    if re.fullmatch(r"[0-9.]+", text) or ":" in text:
        return is_address(text)
    return re.fullmatch(HOST_NAME, text) is not None


def split_host_port(text: str, default_port: int) -> tuple[str, int]:
    """Split `host`, `host:port`, `[address]` or `[address]:port`; raises ValueError."""
    if is_address(text):
        return text, default_port
    match = re.fullmatch(r"(\[(?P<address>[^\]]*)\]|(?P<name>[^\[\]:]*))(:(?P<port>[0-9]{1,5}))?", text)
    if match is None:
        raise ValueError(text)
    host = match["address"] if match["name"] is None else match["name"]
    port = default_port if match["port"] is None else int(match["port"])
    if not is_host(host) or not 1 <= port <= 65535 or (match["name"] is None and not is_address(host, 6)):
        raise ValueError(text)
    return host, port


def is_host_port(value: str | int) -> bool:
    """Tell whether a text is a host with or without a port."""
    try:
        split_host_port(str(value), 1)
    except ValueError:
        return False
    return True


def is_url(value: str | int, schemes: tuple[str, ...], *, path: bool, query: bool = False) -> bool:
    """Tell whether a text is a URL of one of these schemes with a host, and with no more than is allowed."""
    text = str(value)
    if re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", text) is None:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    behind = (parts.path.strip("/") and not path) or (parts.query and not query) or parts.fragment
    return parts.scheme in schemes and is_host(parts.hostname or "") and port != 0 and not behind


def is_ssh_key(value: str | int) -> bool:
    """Tell whether a text is one line of authorized_keys without options, its key whole."""
    words = str(value).split(" ", 2)
    if len(words) < 2 or words[0] not in KEY_PARTS or not str(value).isprintable():
        return False
    try:
        name, *parts = _parts_of(base64.b64decode(words[1], validate=True))
    except ValueError:
        return False
    sizes = KEY_PARTS[words[0]]
    return (
        name == words[0].encode()
        and len(parts) == len(sizes)
        and all(part and size in (ANY, len(part)) for part, size in zip(parts, sizes, strict=True))
    )


def _parts_of(blob: bytes) -> list[bytes]:
    """Take apart what is made of lengths and bytes; raises ValueError where an end is not one."""
    parts, place = [], 0
    while place < len(blob):
        if place + 4 > len(blob):
            raise ValueError("it ends within a length")
        (size,) = struct.unpack_from(">I", blob, place)
        parts.append(blob[place + 4 : place + 4 + size])
        place += 4 + size
    if place != len(blob):
        raise ValueError("it ends within a part")
    return parts


def is_port(value: str | int) -> bool:
    """Tell whether a text is PORT/tcp, FIRST-LAST/udp and so on."""
    match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?/(tcp|udp|sctp)", str(value))
    return match is not None and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


def is_interface(value: str | int) -> bool:
    """Tell whether the kernel would take a text as the name of an interface."""
    return len(str(value)) <= LONGEST_NAME and re.fullmatch(INTERFACE, str(value)) is not None


def is_path(value: str | int) -> bool:
    """Tell whether a text looks like udev's ID_PATH."""
    return re.fullmatch(r"[a-z0-9]+-[A-Za-z0-9_.:,+-]+", str(value)) is not None


def is_reference(value: str | int) -> bool:
    """Tell whether a text names a link: by MAC address, by path (it has a colon), or by name."""
    text = str(value)
    return re.fullmatch(MAC, text) is not None or (is_path(text) if ":" in text else is_interface(text))


def is_disk_rule(value: str | int) -> bool:
    """Tell whether a text is a rule that chooses a disk."""
    try:
        read_rule(str(value))
    except VirtnodeError:
        return False
    return True


TEXT_PORT = r"[0-9]{1,5}(?:-[0-9]{1,5})?/(?:tcp|udp|sctp)"


def is_askable(value: str | int) -> bool:
    """Tell whether a text names a key that one answer can fill: that of a table, not of a list of tables."""
    table, _, name = str(value).partition(".")
    for one in fields(Intent):
        if one.name == table != "network" and is_dataclass(one.default):
            return name in {inner.name for inner in fields(one.default)}
    return False


FORMS: Mapping[str, Form] = {
    "": Form("", lambda value: True),
    "asked-key": Form(
        "a table and a key such as system.hostname, but none of network",
        is_askable,
        {"pattern": r"^(?!network\.)[a-z_]+\.[a-z_]+$"},
    ),
    "after": form_of_words("reboot", "poweroff", "stay"),
    "address": Form("an IPv4 or IPv6 address", is_address),
    "bond-mode": form_of_words(*BOND_MODES),
    "data": Form("rules such as bus:nvme or size:1T-", is_disk_rule),
    "disk-rule": Form("a rule such as smallest, serial:S4EW*, or bus:nvme,first", is_disk_rule),
    "domain": form_of_pattern("a domain such as example.org", HOST_NAME),
    "idle-lock": form_of_range("seconds from 0 to 86400", 0, 86400),
    "iscsi-name": form_of_pattern(
        "iqn.YYYY-MM.DOMAIN:NAME, eui. and 16 digits, or naa. and 16 or 32", ISCSI_NAME
    ),
    "keymap": form_of_pattern("a name such as us or de-latin1", r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}"),
    "esp-size": form_of_range("MiB from 128 to 4096", 128, 4096),
    "host": Form("a host name or an address", is_host),
    "host-port": Form("HOST, HOST:PORT, [IPV6] or [IPV6]:PORT", is_host_port),
    "hostname": form_of_pattern(
        "letters, digits and hyphens, in parts of at most 63, in all at most 64",
        rf"(?=.{{1,64}}$){LABEL}(?:\.{LABEL})*",
    ),
    "interface": Form(
        f"letters, digits, `.`, `_`, `-`; at most {LONGEST_NAME} characters",
        is_interface,
        {"pattern": f"^{INTERFACE}$", "maxLength": LONGEST_NAME},
    ),
    "ipv4": Form("addresses such as 192.0.2.5/24", lambda value: is_interface_address(value, 4)),
    "ipv4-address": Form("an IPv4 address", lambda value: is_address(value, 4), {"format": "ipv4"}),
    "ipv6": Form("addresses such as 2001:db8::5/64", lambda value: is_interface_address(value, 6)),
    "ipv6-address": Form("an IPv6 address", lambda value: is_address(value, 6), {"format": "ipv6"}),
    "lacp-rate": form_of_words("slow", "fast"),
    "mac": form_of_pattern("six pairs of digits such as 52:54:00:12:34:56", MAC),
    "miimon": form_of_range("milliseconds from 1 to 60000", 1, 60000),
    "mtu": form_of_range("0, or bytes from 576 to 65535", 576, 65535, 0),
    "password-hash": form_of_pattern("a hash as `mkpasswd` prints it, such as $y$ and more", PASSWORD_HASH),
    "path": Form("a path of udev such as pci-0000:00:03.0", is_path),
    "pin": form_of_pattern("sha256: and 64 hexadecimal digits", r"sha256:[0-9A-Fa-f]{64}"),
    "port": Form("PORT/tcp, PORT/udp, PORT/sctp or FIRST-LAST/tcp", is_port, {"pattern": f"^{TEXT_PORT}$"}),
    "proxy": Form("http://HOST:PORT", lambda value: is_url(value, ("http",), path=False)),
    "reference": Form("a MAC address, a path such as pci-0000:00:03.0, or a name", is_reference),
    "ssh": form_of_words("on", "off", "automatic", "image"),
    "slot-size": form_of_range("MiB from 256 to 65536", 256, 65536),
    "ssh-key": Form("one line of a .pub file", is_ssh_key),
    "state-size": form_of_range("MiB from 64 to 1048576", 64, 1048576),
    "syslog": Form(
        "udp://HOST:PORT or tcp://HOST:PORT", lambda value: is_url(value, ("udp", "tcp"), path=False)
    ),
    "timezone": form_of_pattern("a name such as Europe/Berlin", r"[A-Za-z0-9+_-]+(?:/[A-Za-z0-9+_-]+){0,2}"),
    "token": form_of_pattern("letters, digits, `.`, `_`, `-`, at most 256", r"[A-Za-z0-9._~=-]{1,256}"),
    "treasure": form_of_pattern("a name of what the plan lists, contents, or all", r"[A-Za-z0-9+_.-]{1,127}"),
    "webhook": Form(
        "http:// or https:// and a host",
        lambda value: is_url(value, ("http", "https"), path=True, query=True),
    ),
    "vlan-id": form_of_range("a number from 1 to 4094", 1, 4094),
}
"""Every form by its name; an empty text is allowed wherever it is the default."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "data": ("lvm", "none"),
    "ipv4": ("dhcp", "off"),
    "ipv6": ("auto", "dhcp", "off"),
}
"""Words that stand for a list, by the form of what is in it."""
