"""A DHCP server at the other end of a node's cable, which names where the node's configuration is."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SERVER, CLIENT, MASK = "192.0.2.1", "192.0.2.77", "255.255.255.0"
LEASE_SECONDS = 3600
COOKIE = b"\x63\x82\x53\x63"
OFFER, ACK = 2, 5
ANSWERS = {1: OFFER, 3: ACK}
"""What a DISCOVER and a REQUEST are answered by."""
NETMASK, LEASE, KIND, IDENTIFIER, CONFIGURATION, END = 1, 51, 53, 54, 224, 255
ETHERNET, IP, UDP, BOOTP = 14, 20, 8, 236
BROADCAST = b"\xff" * 6
MAC = bytes.fromhex("52540000fffe")
FRAME_BYTES = 1514


@dataclass(frozen=True)
class DhcpServer:
    """Answers whoever asks with one address, and a URL in option 224."""

    cable: socket.socket
    peer: Path
    """The node's end."""
    url: str

    def serve(self) -> None:
        """Answer, until the cable is pulled."""
        with contextlib.suppress(OSError):
            while frame := self.cable.recv(FRAME_BYTES):
                answer = self.answer(frame)
                if answer:
                    self.cable.sendto(answer, str(self.peer))

    def answer(self, frame: bytes) -> bytes:
        """Return the frame that answers this one; empty for what is no question."""
        question = frame[ETHERNET + IP + UDP :]
        options = read_options(question[BOOTP + len(COOKIE) :])
        is_dhcp = frame[12:14] == b"\x08\x00" and frame[36:38] == struct.pack("!H", 67)
        kind = ANSWERS.get(options.get(KIND, b"\0")[0]) if is_dhcp else None
        return wrap(self._reply(question, kind)) if kind else b""

    def _reply(self, question: bytes, kind: int) -> bytes:
        transaction, hardware = question[4:8], question[28:44]
        server, address = socket.inet_aton(SERVER), socket.inet_aton(CLIENT)
        head = struct.pack(
            "!BBBB4sHH4s4s4s4s16s", 2, 1, 6, 0, transaction, 0, 0, b"", address, server, b"", hardware
        )
        options = {
            KIND: bytes([kind]),
            IDENTIFIER: server,
            LEASE: struct.pack("!I", LEASE_SECONDS),
            NETMASK: socket.inet_aton(MASK),
            CONFIGURATION: self.url.encode(),
        }
        words = b"".join(bytes([number, len(value)]) + value for number, value in options.items())
        return head.ljust(BOOTP, b"\0") + COOKIE + words + bytes([END])


def read_options(data: bytes) -> dict[int, bytes]:
    """Read the options of a message."""
    found: dict[int, bytes] = {}
    while len(data) > 1 and data[0] != END:
        if data[0]:
            found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :] if data[0] else data[1:]
    return found


def wrap(payload: bytes) -> bytes:
    """Put a message into UDP, IP and Ethernet, for all who hear it."""
    udp = struct.pack("!HHHH", 67, 68, UDP + len(payload), 0)
    fields = (0x45, 0, IP + UDP + len(payload), 0, 0, 64, 17)
    addresses = socket.inet_aton(SERVER), socket.inet_aton("255.255.255.255")
    words = struct.unpack("!10H", struct.pack("!BBHHHBBH4s4s", *fields, 0, *addresses))
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    ip = struct.pack("!BBHHHBBH4s4s", *fields, checksum, *addresses)
    return BROADCAST + MAC + b"\x08\x00" + ip + udp + payload


@contextlib.contextmanager
def dhcp_server(end: Path, peer: Path, url: str) -> Iterator[None]:
    """Plug a server into one end of a cable, and pull it out in the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as cable:
        cable.bind(str(end))
        thread = threading.Thread(target=DhcpServer(cable, peer, url).serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            cable.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            end.unlink()
