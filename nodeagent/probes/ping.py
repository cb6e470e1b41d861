"""One ICMP echo: whether a host answers, and how soon."""

import itertools
import os
import socket
import struct
import time

ECHO = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
"""The types of request and reply."""
PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
HEADER = struct.Struct("!BBHHH")
TOKEN_LENGTH = 16

_sequence = itertools.count(1)


def ping(address: str, timeout: float) -> float | None:
    """Return the seconds until an address answered an echo; None where it did not.

    A link-local address has its link behind a percent sign. Raises OSError where nothing can be sent.
    """
    family, _, _, _, target = socket.getaddrinfo(
        address, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
    )[0]
    token, sequence = os.urandom(TOKEN_LENGTH), next(_sequence) & 0xFFFF
    with _open(family) as sock:
        began = time.monotonic()
        sock.sendto(make_echo(family, os.getpid() & 0xFFFF, sequence, token), target)
        while (left := began + timeout - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                packet = sock.recv(2048)
            except TimeoutError:
                return None
            if is_answer(family, packet, token):
                return time.monotonic() - began
    return None


def make_echo(family: int, identifier: int, sequence: int, token: bytes) -> bytes:
    """Make a request; IPv6's checksum covers addresses and is the kernel's to make."""
    kind = ECHO[socket.AddressFamily(family)][0]
    packet = HEADER.pack(kind, 0, 0, identifier, sequence) + token
    total = checksum(packet) if family == socket.AF_INET else 0
    return HEADER.pack(kind, 0, total, identifier, sequence) + token


def is_answer(family: int, packet: bytes, token: bytes) -> bool:
    """Tell whether a packet answers the request with this token; a raw socket's begins with IPv4's header."""
    kind = ECHO[socket.AddressFamily(family)][1]
    if family == socket.AF_INET and packet[:1] and packet[0] >> 4 == 4:
        packet = packet[(packet[0] & 0xF) * 4 :]
    return packet[:1] == bytes([kind]) and packet[HEADER.size :][:TOKEN_LENGTH] == token


def checksum(data: bytes) -> int:
    """Add up sixteen bits at a time, carries included, and turn the bits round."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _open(family: int) -> socket.socket:
    protocol = PROTOCOLS[socket.AddressFamily(family)]
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        # The kernel gives datagrams to the groups of a setting that is empty by default; root has raw ones.
        return socket.socket(family, socket.SOCK_RAW, protocol)
