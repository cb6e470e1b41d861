"""Speaks to libvirt for the agent, as a program of its own: libvirt may hang, and its library is large.

Each line it reads is a request, `{"id": 1, "verb": "list", …}`; each line it writes is an answer,
`{"id": 1, "result": …}` or `{"id": 1, "error": {"code", "message", "hint"}}`. It ends with status 0, and with
nothing left undone, when its standard input does, or when it was asked nothing for as many seconds as its
second argument says and no console is open.
"""

import base64
import json
import os
import select
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable
from typing import Any

import libvirt

SEE_GUESTS = "<guests>"
"""As `nodelib/places.py` writes it, which this program does not load."""

BUFFER_LIMIT = 256 * 1024
"""Bytes that a console has shown and nobody has read; what is older is lost."""
PIECE = 64 * 1024
PIECES_AT_ONCE = 16
"""A machine that shows something without end must leave others their turn."""
TYPED_LIMIT = 64 * 1024
"""Bytes that were typed and the machine has not taken."""
LONGEST_WAIT = 20.0
MOST_CONSOLES = 8
SHORTEST_MEASURE = 0.5
"""Seconds between two readings that say something about how busy a machine is."""
STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: "unknown",
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "in shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF: "shut off",
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "suspended",
}
Answer = Callable[[object], None]


class Refusal(Exception):
    """A request that cannot be done: its code, what is wrong, and what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class Console:
    """A serial console: what it has shown, what is to be typed, and who waits for more."""

    def __init__(self, stream: Any, clock: Callable[[], float]) -> None:  # noqa: ANN401 - libvirt's
        self._stream = stream
        self._clock = clock
        self._shown = bytearray()
        self._typed = bytearray()
        self._waiter: tuple[Answer, float] | None = None
        self.closed = False
        stream.eventAddCallback(self._interest(), self._on_event, None)

    @property
    def deadline(self) -> float | None:
        """When whoever waits has waited enough."""
        return None if self._waiter is None else self._waiter[1]

    def type(self, data: bytes) -> None:
        """Send keys, at once or when the machine takes them."""
        if self.closed:
            raise Refusal("conflict", "the console is closed", "open it again")
        if len(self._typed) + len(data) > TYPED_LIMIT:
            raise Refusal("busy", "the machine does not read what is typed", "wait, or open another console")
        self._typed += data
        self._send()

    def read(self, wait: float, answer: Answer) -> None:
        """Answer with what was shown since, or with nothing after `wait` seconds; the last to ask is told."""
        self._tell()
        self._waiter = (answer, self._clock() + min(max(0.0, wait), LONGEST_WAIT))
        if self._shown or self.closed or wait <= 0:
            self._tell()

    def look(self) -> None:
        """Tell whoever has waited enough."""
        if self._waiter is not None and self._waiter[1] <= self._clock():
            self._tell()

    def close(self) -> None:
        """Let the machine's console go, and tell whoever waits."""
        if not self.closed:
            self.closed = True
            for end in (self._stream.eventRemoveCallback, self._stream.abort):
                try:
                    end()
                except libvirt.libvirtError:
                    # The other side of it may be gone.
                    continue
        self._tell()

    def _on_event(self, stream: object, events: int, opaque: object) -> None:
        if self.closed:
            return
        if events & libvirt.VIR_STREAM_EVENT_READABLE:
            for _ in range(PIECES_AT_ONCE):
                if self.closed or not self._receive():
                    break
            if self._shown:
                self._tell()
        if events & libvirt.VIR_STREAM_EVENT_WRITABLE and not self.closed:
            self._send()
        if events & (libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP):
            self.close()

    def _receive(self) -> bool:
        """Take what there is; returns False once that was all."""
        try:
            data = self._stream.recv(PIECE)
        except libvirt.libvirtError:
            data = b""
        if data == -2:
            return False
        if not data or data == -1:
            self.close()
            return False
        self._shown += data
        del self._shown[: max(0, len(self._shown) - BUFFER_LIMIT)]
        return True

    def _send(self) -> None:
        while self._typed:
            try:
                sent = self._stream.send(bytes(self._typed[:PIECE]))
            except libvirt.libvirtError:
                self.close()
                return
            if sent < 0:
                break
            del self._typed[:sent]
        self._stream.eventUpdateCallback(self._interest())

    def _interest(self) -> int:
        ends = libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP
        writing = libvirt.VIR_STREAM_EVENT_WRITABLE if self._typed else 0
        return int(libvirt.VIR_STREAM_EVENT_READABLE | writing | ends)

    def _tell(self) -> None:
        if self._waiter is None:
            return
        answer, self._waiter = self._waiter[0], None
        data = bytes(self._shown[:PIECE])
        del self._shown[:PIECE]
        answer({"data": base64.b64encode(data).decode("ascii"), "closed": self.closed and not self._shown})


class Machines:
    """The virtual machines of one libvirt, and their open consoles."""

    def __init__(self, open_libvirt: Callable[[], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._open_libvirt = open_libvirt
        self._clock = clock
        self._connection: Any = None
        self._measures: dict[str, tuple[float, int, float]] = {}
        self._with_console: dict[tuple[str, int], bool] = {}
        self.consoles: dict[str, tuple[str, Console]] = {}
        self._verbs: dict[str, Callable[[dict[str, Any], Answer], None]] = {
            "list": lambda request, answer: answer(self.list()),
            "do": lambda request, answer: answer(self.do(request["uuid"], request["deed"])),
            "open": lambda request, answer: answer(self.open(request["uuid"], request["handle"])),
            "type": lambda request, answer: answer(self.type(request["handle"], request["text"])),
            "read": lambda request, answer: self.read(request["handle"], request["wait"], answer),
            "close": lambda request, answer: answer(self.close(request["handle"])),
        }

    def handle(self, request: dict[str, Any], write: Callable[[dict[str, object]], None]) -> None:
        """Do what a request asks, and write its answer, now or later."""
        number = request["id"]
        try:
            self._verbs[request["verb"]](request, lambda result: write({"id": number, "result": result}))
        except (Refusal, libvirt.libvirtError) as error:
            refusal = error if isinstance(error, Refusal) else explain(error)
            told = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
            write({"id": number, "error": told})

    def list(self) -> list[dict[str, object]]:
        """Describe all machines, by name."""
        domains = sorted(self._connect().listAllDomains(), key=lambda domain: str(domain.name()))
        found = [self._describe(domain) for domain in domains]
        uuids = {str(one["uuid"]) for one in found}
        self._measures = {uuid: one for uuid, one in self._measures.items() if uuid in uuids}
        self._with_console = {key: one for key, one in self._with_console.items() if key[0] in uuids}
        return found

    def do(self, uuid: str, deed: str) -> dict[str, object]:
        """Start a machine, ask it to shut down, or pull its plug."""
        domain = self._find(uuid)
        name, active = domain.name(), bool(domain.isActive())
        if deed == "start" and active:
            raise Refusal("conflict", f"{name} runs already")
        if deed != "start" and not active:
            raise Refusal("conflict", f"{name} does not run")
        {"start": domain.create, "shutdown": domain.shutdown, "poweroff": domain.destroy}[deed]()
        return {}

    def open(self, uuid: str, handle: str) -> dict[str, object]:
        """Open a machine's console; whoever had it loses it."""
        domain = self._find(uuid)
        if not domain.isActive():
            raise Refusal("conflict", f"{domain.name()} does not run", "start it first")
        if not self._has_console(domain, uuid):
            raise Refusal("conflict", f"{domain.name()} has no serial console", "give it one of the type pty")
        for other, (machine, _) in tuple(self.consoles.items()):
            if machine == uuid:
                self.close(other, forget=False)
        if sum(not console.closed for _, console in self.consoles.values()) >= MOST_CONSOLES:
            raise Refusal("busy", f"{MOST_CONSOLES} consoles are open already", "close one of them")
        stream = self._connect().newStream(libvirt.VIR_STREAM_NONBLOCK)
        domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
        self.consoles[handle] = (uuid, Console(stream, self._clock))
        return {}

    def type(self, handle: str, text: str) -> dict[str, object]:
        """Send keys to a console."""
        self._console(handle).type(text.encode())
        return {}

    def read(self, handle: str, wait: float, answer: Answer) -> None:
        """Answer with what a console has shown."""
        self._console(handle).read(wait, answer)

    def close(self, handle: str, *, forget: bool = True) -> dict[str, object]:
        """Close a console; one that another opening closed stays known until its holder has read its end."""
        if handle in self.consoles:
            self.consoles[handle][1].close()
            if forget:
                del self.consoles[handle]
        return {}

    def look(self) -> float | None:
        """Tell those who have waited enough; return the seconds until the next has."""
        for _, console in self.consoles.values():
            console.look()
        deadlines = [one.deadline for _, one in self.consoles.values() if one.deadline is not None]
        return max(0.0, min(deadlines) - self._clock()) if deadlines else None

    def _connect(self) -> Any:  # noqa: ANN401 - libvirt's
        if self._connection is None or not self._connection.isAlive():
            for _, console in self.consoles.values():
                console.close()
            self._connection = self._open_libvirt()
        return self._connection

    def _find(self, uuid: str) -> Any:  # noqa: ANN401 - libvirt's
        return self._connect().lookupByUUIDString(uuid)

    def _console(self, handle: str) -> Console:
        if handle not in self.consoles:
            raise Refusal("not-found", "the console is not open", "open it again")
        return self.consoles[handle][1]

    def _describe(self, domain: Any) -> dict[str, object]:  # noqa: ANN401 - libvirt's
        uuid = domain.UUIDString()
        state, _, memory, cpus, used = domain.info()
        active = bool(domain.isActive())
        return {
            "uuid": uuid,
            "name": domain.name(),
            "state": STATES.get(state, "unknown"),
            "cpus": cpus,
            "memory_bytes": memory * 1024,
            "cpu_percent": self._measure(uuid, used, cpus) if active else 0.0,
            "console": active and self._has_console(domain, uuid),
        }

    def _measure(self, uuid: str, used: int, cpus: int) -> float:
        """Return how busy a machine was since the reading before, which stays if it has only just been."""
        now = self._clock()
        then, before, percent = self._measures.get(uuid, (now, used, 0.0))
        if used < before or uuid not in self._measures:
            self._measures[uuid] = (now, used, 0.0)
            return 0.0
        if now - then >= SHORTEST_MEASURE and cpus:
            percent = round(min(100.0, (used - before) / 1e7 / (now - then) / cpus), 1)
            self._measures[uuid] = (now, used, percent)
        return percent

    def _has_console(self, domain: Any, uuid: str) -> bool:  # noqa: ANN401 - libvirt's
        key = (uuid, domain.ID())
        if key not in self._with_console:
            self._with_console[key] = has_console(domain.XMLDesc())
        return self._with_console[key]


def has_console(text: str) -> bool:
    """Tell whether a machine's XML has a serial console that can be opened."""
    devices = xml.etree.ElementTree.fromstring(text).find("devices")
    found = [] if devices is None else [*devices.findall("console"), *devices.findall("serial")]
    return any(one.get("type") == "pty" for one in found)


def explain(error: libvirt.libvirtError) -> Refusal:
    """Put libvirt's error in our words."""
    number, text = error.get_error_code(), str(error.get_error_message() or error)
    if number in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG):
        return Refusal("not-found", "there is no such virtual machine", SEE_GUESTS)
    if number == libvirt.VIR_ERR_OPERATION_INVALID:
        return Refusal("conflict", f"libvirt refuses: {text}", SEE_GUESTS)
    if number in (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_RPC):
        return Refusal("unavailable", f"libvirt cannot be reached: {text}", "is it running? see its journal")
    if number in (libvirt.VIR_ERR_NO_SUPPORT, libvirt.VIR_ERR_OPERATION_UNSUPPORTED):
        return Refusal("failed", f"libvirt cannot do that: {text}")
    return Refusal("failed", f"libvirt: {text}", "the journal of libvirt may say more")


def serve(machines: Machines, patience: float, run_events: Callable[[], object]) -> None:
    """Answer requests until standard input ends, or nothing was asked for `patience` seconds."""
    pending = b""
    state = {"open": True, "heard": time.monotonic()}

    def write(answer: dict[str, object]) -> None:
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()

    def hear(watch: int, descriptor: int, events: int, opaque: object) -> None:
        nonlocal pending
        data = os.read(descriptor, PIECE)
        state["open"], state["heard"] = bool(data), time.monotonic()
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            machines.handle(json.loads(line), write)

    interest = libvirt.VIR_EVENT_HANDLE_READABLE | libvirt.VIR_EVENT_HANDLE_HANGUP
    libvirt.virEventAddHandle(0, interest, hear, None)
    # Its events are what wakes the loop: without a timer it would sleep over deadlines.
    timer = libvirt.virEventAddTimeout(1000, lambda number, opaque: None, None)
    while state["open"]:
        nearest = machines.look()
        idle = time.monotonic() - state["heard"] >= patience and not machines.consoles
        if idle and not select.select([0], [], [], 0)[0]:
            return
        libvirt.virEventUpdateTimeout(timer, int(1000 if nearest is None else min(1.0, nearest) * 1000 + 1))
        run_events()


def main() -> int:
    """Serve the libvirt of the URI that is given; returns the exit status."""
    uri, patience = sys.argv[1], float(sys.argv[2])
    libvirt.registerErrorHandler(lambda context, error: None, None)
    libvirt.virEventRegisterDefaultImpl()
    serve(Machines(lambda: libvirt.open(uri)), patience, libvirt.virEventRunDefaultImpl)
    return 0


if __name__ == "__main__":
    sys.exit(main())
