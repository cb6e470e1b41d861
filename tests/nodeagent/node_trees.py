"""Root trees that look like a node's, and the services of a system that is not there."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.intent import FirewallIntent, Intent
from nodelib.errors import Code, VirtnodeError

SSH_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExyEdXkOhT8dUZ0xVNVKcQ9M2wUo5kY8sY8m0S0p2iE admin@example"
HASH = "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"
PIN = "sha256:" + "5a" * 32
NFTABLES = """\
#!/usr/sbin/nft -f
# Written when the image was built. Traffic of guests over bridges does not pass here.
flush ruleset

table inet virtnode {
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tiif lo accept
\t\ttcp dport 22 accept
\t}

\tchain forward {
\t\ttype filter hook forward priority filter; policy drop;
\t}
}
"""
FILES = {
    "proc/sys/kernel/random/boot_id": "11111111-2222-3333-4444-555555555555\n",
    "etc/hostname": "localhost\n",
    "etc/hosts": "# Of the image.\n127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/nftables.conf": NFTABLES,
    "etc/chrony/chrony.conf": "# Debian's\nconfdir /etc/chrony/conf.d\nsourcedir /run/chrony-dhcp\n"
    "sourcedir /etc/chrony/sources.d\n",
    "etc/systemd/network/90-link.network": "[Match]\nType=ether\n\n[Network]\nDHCP=yes\n",
    "etc/ssh/sshd_config.d/10-virtnode.conf": "PasswordAuthentication no\n",
    "usr/share/zoneinfo/UTC": "TZif",
    "usr/share/zoneinfo/Europe/Berlin": "TZif",
    "usr/lib/systemd/system/ssh.service": "[Service]\n",
    "usr/lib/systemd/system/rsyslog.service": "[Service]\n",
    "usr/lib/systemd/system/iscsid.service": "[Service]\n",
    "etc/iscsi/initiatorname.iscsi": "GenerateName=yes\n",
    "etc/vconsole.conf": "KEYMAP=us\nFONT=eurlatgr\n",
    "usr/share/keymaps/i386/qwertz/de-latin1.kmap.gz": "",
    "usr/lib/kbd/keymaps/xkb/fr.map.gz": "",
    "etc/shadow": "root:!*::0:99999:7:::\nadmin:!*::0:99999:7:::\nother:*::0:99999:7:::\n",
}
LINKS = {"etc/localtime": "../usr/share/zoneinfo/UTC"}


def make_node(root: Path) -> Path:
    """Lay out what of a node's root the agent reads and writes."""
    for folder in ("var/lib/virtnode/rollback", "run/virtnode"):
        (root / folder).mkdir(parents=True)
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    return root


def snapshot(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, tuple[int, bytes]]:
    """Map every path below a root to its mode and content, but for some folders."""
    found: dict[str, tuple[int, bytes]] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(without):
            continue
        mode = path.lstat().st_mode
        if path.is_symlink():
            found[name] = (mode, str(path.readlink()).encode())
        else:
            found[name] = (mode, path.read_bytes() if path.is_file() else b"")
    return found


@dataclass
class FakeServices:
    """Writes down what the system would be asked to do; can refuse one call."""

    calls: list[str] = field(default_factory=list)
    refuse: str = ""

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.refuse and call.startswith(self.refuse):
            raise VirtnodeError(Code.FAILED, f"{call} was refused", "look at the journal")

    def set_hostname(self, name: str) -> None:
        """Take the host name."""
        self._note(f"hostname {name}".strip())

    def set_timezone(self, zone: str) -> None:
        """Take the time zone."""
        self._note(f"timezone {zone}")

    def load_keymap(self, name: str) -> None:
        """Take a keyboard layout."""
        self._note(f"keymap {name}")

    def reload_units(self) -> None:
        """Read units."""
        self._note("reload units")

    def restart(self, unit: str) -> None:
        """Restart what runs."""
        self._note(f"restart {unit}")

    def start(self, unit: str) -> None:
        """Start."""
        self._note(f"start {unit}")

    def stop(self, unit: str) -> None:
        """Stop."""
        self._note(f"stop {unit}")

    def restart_soon(self, unit: str) -> None:
        """Restart, and do not wait."""
        self._note(f"restart {unit} soon")

    def load_firewall(self, script: Path) -> None:
        """Load rules."""
        self._note(f"firewall {script.name}")

    def reload_network(self, *, gone: Sequence[str], files: Sequence[str]) -> None:
        """Reload networkd."""
        words = [f"gone {','.join(gone)}"] * bool(gone) + [f"files {','.join(files)}"] * bool(files)
        self._note(" ".join(["network", *words]))


FULL = f"""\
version = 2

[engine]
address = "engine.example.org"
ca = ["{PIN}"]
token = "secret-join-token"

[system]
hostname = "node1.example.org"
timezone = "Europe/Berlin"
keymap = "de-latin1"

[dns]
servers = ["192.0.2.53", "2001:db8::53"]
search = ["example.org"]

[ntp]
servers = ["ntp1.example.org", "192.0.2.123"]

[access]
password = "{HASH}"
idle_lock = 600
ssh = "on"
ssh_keys = ["{SSH_KEY}"]

[storage]
initiator = "iqn.2026-01.org.example:node1"

[firewall]
open = ["8080/tcp", "6000-6010/udp"]

[logging]
syslog = ["udp://logs.example.org", "tcp://[2001:db8::5]:6514"]

[[network.nic]]
match = {{ mac = "52:54:00:12:34:56" }}
ipv4 = ["192.0.2.5/24"]
gateway4 = "192.0.2.1"
ipv6 = "auto"
dns = ["192.0.2.53"]

[[network.nic]]
match = {{ path = "pci-0000:00:04.0" }}
ipv4 = "off"
ipv6 = ["2001:db8::5/64"]
gateway6 = "fe80::1"
mtu = 9000

[[network.nic]]
match = {{ name = "eth1" }}
ipv4 = "off"
ipv6 = "off"
mtu = 9000

[[network.bond]]
name = "bond0"
mode = "802.3ad"
members = ["eth1", "52:54:00:AB:CD:EF"]
lacp_rate = "fast"
miimon = 50
mtu = 9000
ipv4 = "off"
ipv6 = "off"

[[network.vlan]]
id = 42
over = "bond0"

[[network.vlan]]
name = "storage"
id = 7
over = "bond0"
mtu = 9000
ipv4 = ["198.51.100.5/24"]
ipv6 = "off"

[[network.bridge]]
name = "br0"
members = ["bond0.42", "eth2"]
vlan_aware = true
ipv4 = "dhcp"
ipv6 = "dhcp"

[[network.bridge]]
name = "guests"
ipv4 = ["203.0.113.1/24"]
ipv6 = "off"
"""
"""A document that says something of everything."""


def opening(*ports: str) -> Intent:
    """Make an intent that opens ports and wants nothing else."""
    return Intent(firewall=FirewallIntent(open=ports))
