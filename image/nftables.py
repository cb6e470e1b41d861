"""The node's packet filter: inbound is refused, but for what a kickstart allows."""

from image.config import Firewall

SERVICES = {
    "ssh": "tcp dport 22",
    "libvirt-migration": "tcp dport { 16514, 49152-49215 }",
    "vnc": "tcp dport 5900-5999",
    "dhcpv6-client": "udp dport 546",
    "mdns": "udp dport 5353",
    "cockpit": "tcp dport 9090",
    "http": "tcp dport 80",
    "https": "tcp dport 443",
    "snmp": "udp dport 161",
}
"""What `firewall --service=` may name, as nftables matches."""

ALWAYS = ("ssh", "libvirt-migration", "dhcpv6-client")

RULES = """\
#!/usr/sbin/nft -f
# Written when the image was built. Traffic of guests over bridges does not pass here.
flush ruleset

table inet virtnode {{
\tchain input {{
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tct state invalid drop
\t\tiif lo accept
\t\tmeta l4proto {{ icmp, ipv6-icmp }} accept
{accepted}
\t}}

\tchain forward {{
\t\ttype filter hook forward priority filter; policy drop;
\t}}
}}
"""


def firewall_rules(firewall: Firewall) -> str:
    """Write nftables.conf: SSH, live migration and DHCPv6 answers always come in."""
    matches = [SERVICES[name] for name in dict.fromkeys((*ALWAYS, *firewall.services))]
    for entry in firewall.ports:
        port, _, protocol = entry.partition("/")
        matches.append(f"{protocol or 'tcp'} dport {port}")
    return RULES.format(accepted="\n".join(f"\t\t{match} accept" for match in matches))
