"""node.config: the URL with this machine's own marks put in, and what a DHCP server says of it."""

import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import names_in, read_text
from nodeagent.intent_forms import is_url
from nodelib.config_area import CONFIG_OPTION
from nodelib.facts import Nic

LEASES = "run/systemd/netif/leases"
DHCP_OPTION = f"OPTION_{CONFIG_OPTION}="
"""What networkd keeps of an option that it does not read itself, as hexadecimal digits."""
DMI = "sys/class/dmi/id"


@dataclass(frozen=True)
class Marks:
    """What tells this machine from others."""

    mac: str = ""
    """Of the port that has an address; the first one if several have."""
    uuid: str = ""
    serial: str = ""


def read_marks(root: Path, nics: Sequence[Nic]) -> Marks:
    """Find this machine's marks."""
    ports = [nic for nic in nics if nic.kind == "physical" and nic.mac]
    ports.sort(key=lambda nic: (not (nic.addresses or nic.master), not nic.link))
    dmi = root / DMI
    return Marks(
        mac=ports[0].mac.lower() if ports else "",
        uuid=read_text(dmi / "product_uuid").lower(),
        serial=read_text(dmi / "product_serial"),
    )


def fill_in(template: str, marks: Marks) -> str:
    """Put the marks into a URL, each as a part of a path or a query may be written."""
    for name in ("mac", "uuid", "serial"):
        value = urllib.parse.quote(getattr(marks, name), safe=":")
        template = template.replace(f"${{{name}}}", value)
    return template


def find_dhcp_url(root: Path) -> str:
    """Read the URL that a DHCP server gave; empty without one."""
    for name in names_in(root / LEASES):
        for line in read_text(root / LEASES / name).splitlines():
            if line.startswith(DHCP_OPTION):
                url = _decode(line.removeprefix(DHCP_OPTION))
                if is_url(url, ("http", "https"), path=True, query=True):
                    return url
    return ""


def has_lease(root: Path) -> bool:
    """Tell whether a DHCP server has answered on any port."""
    return bool(names_in(root / LEASES))


def _decode(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode("ascii").strip("\0 ")
    except ValueError:
        return ""
