"""What the `network` and `firewall` commands of a kickstart say."""

import ipaddress
import re
from dataclasses import dataclass, replace

from image.config import BootProtocol, Network, Origin
from image.kickstart_draft import Arguments, Draft, merged
from image.kickstart_text import Problems
from image.networkd import BOND_KEYS
from image.nftables import SERVICES

INTERFACE_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}")
MAC_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?:(tcp|udp)")
LONGEST_INTERFACE_NAME = 15
STATIC_ONLY = ("--ip", "--netmask", "--gateway")


def read_network(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Take the host name and, when anything else is said, one interface."""
    hostname = arguments.text("hostname")
    if "--hostname" in arguments.options:
        _check_hostname(draft.problems, origin, hostname)
        draft.set_once(origin, "network --hostname", hostname)
    if arguments.options == {"--hostname"}:
        return
    network = _Interface(draft.problems, origin, arguments).read()
    name = network.device if network.vlan_id is None else f"{network.device} with --vlanid={network.vlan_id}"
    draft.add_name(origin, "network --device", name)
    for port in (*network.bond_ports, *network.bridge_ports):
        draft.add_name(origin, "port", port)
    draft.networks.append(network)


def read_firewall(draft: Draft, origin: Origin, arguments: Arguments) -> None:
    """Add services and ports to what may come in."""
    services, ports = arguments.texts("services"), arguments.texts("ports")
    switches = arguments.options & {"--enabled", "--disabled"}
    if len(switches) == 2 or ("--disabled" in switches and (services or ports)):
        draft.problems.add(
            origin, "firewall --disabled stands beside other options", "--disabled alone, or --enabled"
        )
    if switches:
        draft.set_once(origin, "firewall --enabled or --disabled", arguments.is_set("enabled"))
    for service in services:
        if service not in SERVICES:
            draft.problems.add_unknown(origin, "firewall --service", service, SERVICES)
    known = draft.firewall
    draft.firewall = replace(
        known,
        enabled=known.enabled and "--disabled" not in switches,
        services=merged(known.services, services),
        ports=merged(known.ports, tuple(_read_port(draft.problems, origin, port) for port in ports)),
    )


def check_ntp_server(problems: Problems, origin: Origin, server: str) -> None:
    """Report a time server that is neither a host name nor an address."""
    if not HOST_NAME.fullmatch(server) and _parsed_address(server) is None:
        problems.add(origin, f"{server!r} is not a time server", "a host name or an address")


def _check_hostname(problems: Problems, origin: Origin, hostname: str) -> None:
    if len(hostname) > 64 or not HOST_NAME.fullmatch(hostname):
        problems.add(
            origin,
            f"{hostname!r} is not a host name",
            "labels of letters, digits and inner hyphens, joined by dots, at most 64 characters",
        )


def _read_port(problems: Problems, origin: Origin, port: str) -> str:
    """Return `8080:tcp` as `8080/tcp`, and a range likewise."""
    match = PORT.fullmatch(port)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not match or not 1 <= first <= last <= 65535:
        problems.add(
            origin,
            f"firewall --port={port} is not a port",
            "NUMBER:tcp, NUMBER:udp or FIRST-LAST:tcp, 1 to 65535",
        )
        return port
    return f"{first}/{match[3]}" if first == last else f"{first}-{last}/{match[3]}"


def _parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class _Interface:
    """Reads one interface out of a `network` command, reporting what does not fit."""

    problems: Problems
    origin: Origin
    arguments: Arguments

    def read(self) -> Network:
        """Return the interface; where something is wrong it has been reported and holds a stand-in."""
        bond_ports, bridge_ports = self._ports("bondslaves"), self._ports("bridgeslaves")
        device = self._device()
        if len(self.arguments.options & {"--bondslaves", "--bridgeslaves", "--vlanid"}) > 1:
            self._report(
                "--bondslaves, --bridgeslaves and --vlanid stand together", "one network command for each"
            )
        protocol = self._protocol()
        ip = self._ipv4(protocol)
        ipv6 = self._ipv6()
        return Network(
            device=device,
            protocol=protocol,
            ip=ip,
            gateway=self._gateway(ip),
            ipv6=ipv6,
            ipv6_gateway=self._ipv6_gateway(ipv6),
            nameservers=self._nameservers(),
            mtu=self._number("mtu", 68, 65535),
            vlan_id=self._number("vlanid", 1, 4094),
            bond_ports=bond_ports,
            bond_options=self._bond_options(),
            bridge_ports=bridge_ports,
            on_boot=self.arguments.is_set("onboot"),
        )

    def _report(self, wrong: str, allowed: str) -> None:
        self.problems.add(self.origin, wrong, allowed)

    def _device(self) -> str:
        device = self.arguments.text("device") or "link"
        is_name = INTERFACE_NAME.fullmatch(device) and device not in ("link", "bootif", "ibft")
        if not is_name and self.arguments.options & {"--bondslaves", "--bridgeslaves", "--vlanid"}:
            self._report(
                "a bond, bridge or VLAN stands on no named device", "--device=NAME, as in --device=bond0"
            )
        elif not is_name and device != "link" and not MAC_ADDRESS.fullmatch(device):
            self._report(
                f"network --device={device} is not a device", "an interface name, a MAC address or link"
            )
        vlan_name = f"{device}.{self.arguments.text('vlanid')}"
        if "--vlanid" in self.arguments.options and len(vlan_name) > LONGEST_INTERFACE_NAME:
            self._report(
                f"{vlan_name} is too long a name for a VLAN", f"at most {LONGEST_INTERFACE_NAME} characters"
            )
        return device

    def _ports(self, name: str) -> tuple[str, ...]:
        if f"--{name}" not in self.arguments.options:
            return ()
        ports = tuple(port.strip() for port in self.arguments.text(name).split(","))
        for port in ports:
            if not INTERFACE_NAME.fullmatch(port):
                self._report(
                    f"network --{name} has {port!r}, not an interface name", "--" + name + "=NAME,NAME"
                )
        return ports

    def _protocol(self) -> BootProtocol:
        chosen = self.arguments.text("bootProto")
        if self.arguments.is_set("noipv4"):
            for option in sorted(self.arguments.options.intersection({*STATIC_ONLY, "--bootproto"})):
                self._report(f"network {option} stands beside --noipv4", "one of the two")
            return BootProtocol.NONE
        if chosen not in (BootProtocol.DHCP, BootProtocol.STATIC):
            self._report(f"network --bootproto={chosen} is not honoured", "allowed: dhcp, static")
            return BootProtocol.DHCP
        return BootProtocol(chosen)

    def _ipv4(self, protocol: BootProtocol) -> str:
        if protocol is BootProtocol.STATIC:
            return self._static_ipv4()
        if protocol is BootProtocol.DHCP:
            for option in STATIC_ONLY:
                if option in self.arguments.options:
                    self._report(f"network {option} needs a static address", "add --bootproto=static")
        return ""

    def _static_ipv4(self) -> str:
        ip, netmask = self.arguments.text("ip"), self.arguments.text("netmask")
        if not ip or not netmask:
            missing = " and ".join(f"--{name}" for name in ("ip", "netmask") if not self.arguments.text(name))
            self._report(f"network --bootproto=static lacks {missing}", "--ip=ADDRESS --netmask=MASK")
            return ""
        prefix = _prefix_length(netmask)
        if prefix is None:
            self._report(f"network --netmask={netmask} is not a netmask", "as in 255.255.255.0")
        address = _parsed_address(ip)
        if not isinstance(address, ipaddress.IPv4Address) or not _is_host_address(address):
            self._report(f"network --ip={ip} is not an IPv4 address of a host", "as in 192.0.2.5")
            return ""
        return f"{address}/{prefix}" if prefix is not None else ""

    def _gateway(self, ip: str) -> str:
        gateway = self.arguments.text("gateway")
        if not gateway:
            return ""
        address = _parsed_address(gateway)
        if not isinstance(address, ipaddress.IPv4Address):
            self._report(f"network --gateway={gateway} is not an IPv4 address", "as in 192.0.2.1")
        elif ip and address not in ipaddress.IPv4Interface(ip).network:
            self._report(f"network --gateway={gateway} is outside {ip}", "an address in the same network")
        return gateway

    def _ipv6(self) -> str:
        given = self.arguments.text("ipv6")
        if self.arguments.is_set("noipv6"):
            if given:
                self._report("network --ipv6 stands beside --noipv6", "one of the two")
            return "ignore"
        if given in ("", "auto", "dhcp"):
            return given or "auto"
        try:
            interface = ipaddress.IPv6Interface(given)
        except ValueError:
            interface = None
        if interface is None or "/" not in given or not _is_host_address(interface.ip):
            self._report(f"network --ipv6={given} is not honoured", "auto, dhcp, or as in 2001:db8::5/64")
            return "auto"
        return str(interface)

    def _ipv6_gateway(self, ipv6: str) -> str:
        gateway = self.arguments.text("ipv6gateway")
        if gateway and not isinstance(_parsed_address(gateway), ipaddress.IPv6Address):
            self._report(f"network --ipv6gateway={gateway} is not an IPv6 address", "as in 2001:db8::1")
        elif gateway and "/" not in ipv6:
            self._report("network --ipv6gateway needs a static address", "add --ipv6=ADDRESS/PREFIX")
        return gateway

    def _nameservers(self) -> tuple[str, ...]:
        if "--nameserver" not in self.arguments.options:
            return ()
        servers = tuple(server.strip() for server in self.arguments.text("nameserver").split(","))
        for server in servers:
            if _parsed_address(server) is None:
                self._report(
                    f"network --nameserver has {server!r}, not an address", "as in 192.0.2.53,2001:db8::53"
                )
        return servers

    def _number(self, name: str, lowest: int, highest: int) -> int | None:
        if f"--{name}" not in self.arguments.options:
            return None
        text = self.arguments.text(name)
        if not re.fullmatch(r"[0-9]{1,5}", text) or not lowest <= int(text) <= highest:
            self._report(f"network --{name}={text} is out of range", f"{lowest} to {highest}")
            return None
        return int(text)

    def _bond_options(self) -> tuple[tuple[str, str], ...]:
        text = self.arguments.text("bondopts")
        if not text:
            return ()
        if "--bondslaves" not in self.arguments.options:
            self._report("network --bondopts stands without --bondslaves", "give the bond's ports as well")
        pairs = [option.partition("=") for option in text.split(";" if ";" in text else ",")]
        for name, _, value in pairs:
            if name not in BOND_KEYS:
                self.problems.add_unknown(self.origin, "network --bondopts", name, BOND_KEYS)
            elif not value:
                self._report(f"network --bondopts: {name} has no value", "NAME=VALUE,NAME=VALUE")
        return tuple((name, value) for name, _, value in pairs)


def _prefix_length(netmask: str) -> int | None:
    """Return the prefix length of a dotted netmask, or None: a hostmask such as 0.0.0.255 is none."""
    try:
        network = ipaddress.IPv4Network(f"0.0.0.0/{netmask}")
    except ValueError:
        return None
    return network.prefixlen if str(network.netmask) == netmask else None


def _is_host_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_multicast or address.is_unspecified or address.is_loopback)
