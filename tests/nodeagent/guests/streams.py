"""A libvirt of one machine with a serial console: what it shows and takes is a test's to say."""

from collections.abc import Callable
from dataclasses import dataclass, field

import libvirt

XML = "<domain><devices><console type='pty'/></devices></domain>"


@dataclass
class FakeStream:
    """A stream that does not block."""

    incoming: list[bytes] = field(default_factory=list)
    taken: bytearray = field(default_factory=bytearray)
    room: int = 1 << 20
    """Bytes that it takes before it would block."""
    interest: int = 0
    aborted: bool = False
    callback: Callable[[object, int, object], None] | None = None

    def eventAddCallback(  # noqa: N802 - libvirt's name
        self, interest: int, callback: Callable[[object, int, object], None], opaque: object
    ) -> None:
        """Note who is told."""
        self.interest, self.callback = interest, callback

    def eventUpdateCallback(self, interest: int) -> None:  # noqa: N802 - libvirt's name
        """Note what is waited for."""
        self.interest = interest

    def eventRemoveCallback(self) -> None:  # noqa: N802 - libvirt's name
        """Tell nobody any more."""
        self.callback = None

    def abort(self) -> None:
        """End it."""
        self.aborted = True

    def recv(self, size: int) -> bytes | int:
        """Give the next piece; -2 where it would block."""
        return self.incoming.pop(0) if self.incoming else -2

    def send(self, data: bytes) -> int:
        """Take as much as there is room for; -2 where it would block."""
        size = min(len(data), self.room)
        self.room -= size
        self.taken += data[:size]
        return size or -2

    def show(self, *pieces: bytes) -> None:
        """Have the machine show something; an empty piece is the end."""
        for piece in pieces:
            self.incoming.append(piece)
            self.tell(libvirt.VIR_STREAM_EVENT_READABLE)

    def tell(self, events: int) -> None:
        """Say that something happened."""
        if self.callback is not None:
            self.callback(self, events, None)


@dataclass
class FakeDomain:
    """A machine that runs."""

    uuid: str
    streams: list[FakeStream] = field(default_factory=list)
    active: bool = True
    description: str = XML
    used: int = 0

    def name(self) -> str:
        """Name it."""
        return f"vm-{self.uuid}"

    def ID(self) -> int:  # noqa: N802 - libvirt's name
        """Return the number of this run."""
        return 1

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        """Identify it."""
        return self.uuid

    def isActive(self) -> int:  # noqa: N802 - libvirt's name
        """Tell whether it runs."""
        return int(self.active)

    def XMLDesc(self) -> str:  # noqa: N802 - libvirt's name
        """Describe it."""
        return self.description

    def info(self) -> list[int]:
        """Tell state, memory, processors and the time they took."""
        return [1 if self.active else 5, 2048, 1024, 2, self.used]

    def openConsole(self, name: None, stream: FakeStream, flags: int) -> None:  # noqa: N802 - libvirt's name
        """Lend the console."""
        assert flags == libvirt.VIR_DOMAIN_CONSOLE_FORCE
        self.streams.append(stream)


@dataclass
class FakeLibvirt:
    """A connection to a libvirt."""

    domains: dict[str, FakeDomain]
    alive: bool = True

    def isAlive(self) -> int:  # noqa: N802 - libvirt's name
        """Tell whether it is open."""
        return int(self.alive)

    def listAllDomains(self) -> list[FakeDomain]:  # noqa: N802 - libvirt's name
        """List all machines."""
        return list(self.domains.values())

    def lookupByUUIDString(self, uuid: str) -> FakeDomain:  # noqa: N802 - libvirt's name
        """Find a machine."""
        return self.domains[uuid]

    def newStream(self, flags: int) -> FakeStream:  # noqa: N802 - libvirt's name
        """Make a stream."""
        assert flags == libvirt.VIR_STREAM_NONBLOCK
        return FakeStream()
