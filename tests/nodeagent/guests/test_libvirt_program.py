"""The program that speaks to libvirt: consoles over a test's stream, the rest over libvirt's test driver."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

import libvirt
import pytest

from nodeagent.guests.libvirt_program import (
    BUFFER_LIMIT,
    LONGEST_WAIT,
    MOST_CONSOLES,
    PIECE,
    SEE_GUESTS,
    Machines,
    Refusal,
    has_console,
)
from nodelib.places import Place, at
from tests.nodeagent.guests.streams import FakeDomain, FakeLibvirt, FakeStream


@dataclass
class Bench:
    """Machines of a libvirt that a test moves."""

    now: float = 100.0
    domains: dict[str, FakeDomain] = field(default_factory=dict)
    answers: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.domains = {name: FakeDomain(name) for name in "abcdefghij"}
        self.connection = FakeLibvirt(self.domains)
        self.machines = Machines(lambda: FakeLibvirt(self.domains), lambda: self.now)

    def open(self, name: str, handle: str) -> FakeStream:
        """Open a console."""
        self.machines.open(name, handle)
        return self.domains[name].streams[-1]

    def read(self, handle: str, wait: float = 0.0) -> None:
        """Ask what a console has shown."""
        request: dict[str, object] = {"id": 1, "verb": "read", "handle": handle, "wait": wait}
        self.machines.handle(request, self.answers.append)

    def shown(self) -> tuple[bytes, bool]:
        """Take the last answer: what was shown, and whether that is all."""
        result = self.answers.pop()["result"]
        assert isinstance(result, dict)
        return base64.b64decode(result["data"]), result["closed"]


@pytest.fixture
def bench() -> Bench:
    """Make machines."""
    return Bench()


def test_what_a_console_shows_is_read_in_pieces(bench: Bench) -> None:
    """Nothing is nothing; a reader that waits is told at once when something comes."""
    stream = bench.open("a", "h")
    bench.read("h")
    assert bench.shown() == (b"", False)
    bench.read("h", 10)
    assert bench.answers == []
    stream.show(b"login: ")
    assert bench.shown() == (b"login: ", False)
    stream.show(b"x" * PIECE, b"yz")
    bench.read("h", 10)
    assert bench.shown() == (b"x" * PIECE, False)
    bench.read("h", 10)
    assert bench.shown() == (b"yz", False)


def test_last_words_that_come_with_the_end_are_read(bench: Bench) -> None:
    """However many pieces there are when the other side hangs up."""
    stream = bench.open("a", "h")
    stream.incoming += [b"one ", b"two ", b"three"]
    stream.tell(libvirt.VIR_STREAM_EVENT_READABLE | libvirt.VIR_STREAM_EVENT_HANGUP)
    bench.read("h", 10)
    assert bench.shown() == (b"one two three", True)


def test_what_nobody_reads_is_lost_from_its_beginning(bench: Bench) -> None:
    """However much a machine shows, a console keeps so much and no more."""
    stream = bench.open("a", "h")
    for number in range(BUFFER_LIMIT // PIECE + 2):
        stream.show(bytes([number]) * PIECE)
    pieces = []
    for _ in range(BUFFER_LIMIT // PIECE):
        bench.read("h")
        pieces.append(bench.shown()[0])
    assert [piece[0] for piece in pieces] == [2, 3, 4, 5]
    bench.read("h")
    assert bench.shown() == (b"", False)


def test_a_reader_waits_no_longer_than_it_said(bench: Bench) -> None:
    """Nor longer than anybody may; a second reader takes the first one's place."""
    bench.open("a", "h")
    bench.read("h", 1000)
    assert bench.machines.look() == LONGEST_WAIT
    bench.now += 5
    bench.read("h", 3)
    assert bench.shown() == (b"", False)
    assert bench.machines.look() == 3
    bench.now += 3
    assert bench.machines.look() is None
    assert bench.shown() == (b"", False)


def test_keys_wait_until_the_machine_takes_them(bench: Bench) -> None:
    """What does not go at once goes later; what would be too much is refused."""
    stream = bench.open("a", "h")
    stream.room = 3
    bench.machines.type("h", "hällo\r")
    assert bytes(stream.taken) == "hä".encode()
    assert stream.interest & libvirt.VIR_STREAM_EVENT_WRITABLE
    with pytest.raises(Refusal) as caught:
        bench.machines.type("h", "x" * 70000)
    assert caught.value.code == "busy"
    stream.room = 1000
    stream.tell(libvirt.VIR_STREAM_EVENT_WRITABLE)
    assert bytes(stream.taken) == "hällo\r".encode()
    assert not stream.interest & libvirt.VIR_STREAM_EVENT_WRITABLE


@pytest.mark.parametrize("end", ["nothing", "hangup", "error"])
def test_the_end_comes_after_what_was_shown(bench: Bench, end: str) -> None:
    """A machine that stops has its last words read; then the console is closed."""
    stream = bench.open("a", "h")
    stream.show(b"bye")
    if end == "nothing":
        stream.show(b"")
    else:
        event = "VIR_STREAM_EVENT_HANGUP" if end == "hangup" else "VIR_STREAM_EVENT_ERROR"
        stream.tell(getattr(libvirt, event))
    bench.read("h", 10)
    assert bench.shown() == (b"bye", True)
    bench.read("h", 10)
    assert bench.shown() == (b"", True)
    assert (stream.aborted, stream.callback) == (True, None)
    with pytest.raises(Refusal, match="closed"):
        bench.machines.type("h", "x")


def test_a_new_opening_takes_over(bench: Bench) -> None:
    """Whoever had the console reads its end; consoles of other machines stay."""
    first, other = bench.open("a", "h1"), bench.open("b", "h2")
    bench.read("h1", 10)
    second = bench.open("a", "h3")
    assert bench.shown() == (b"", True)
    assert (first.aborted, other.aborted, second.aborted) == (True, False, False)
    bench.machines.close("h1")
    bench.machines.close("h1")
    bench.read("h1")
    assert "not-found" in str(bench.answers.pop())


def test_there_is_an_end_to_consoles(bench: Bench) -> None:
    """One too many is refused, and so is that of a machine without one or that does not run."""
    for number in range(MOST_CONSOLES):
        bench.open("abcdefghij"[number], f"h{number}")
    with pytest.raises(Refusal) as caught:
        bench.open("i", "more")
    assert caught.value.code == "busy"
    bench.domains["i"].active = False
    bench.domains["j"].description = "<domain><devices/></domain>"
    for name in "ij":
        with pytest.raises(Refusal) as caught:
            bench.open(name, "more")
        assert caught.value.code == "conflict"


def test_how_busy_a_machine_is(bench: Bench) -> None:
    """Since it was asked before: all processors together are 100; a reading too soon repeats the last."""
    domain = bench.domains["a"]

    def percent() -> object:
        return bench.machines.list()[0]["cpu_percent"]

    assert percent() == 0.0
    bench.now, domain.used = bench.now + 2, 1_000_000_000
    assert percent() == 25.0
    bench.now, domain.used = bench.now + 0.1, 9_000_000_000
    assert percent() == 25.0
    domain.used = 0
    assert percent() == 0.0
    domain.active = False
    found = bench.machines.list()[0]
    assert (found["state"], found["cpu_percent"], found["console"]) == ("shut off", 0.0, False)


def test_which_machines_have_a_console() -> None:
    """A pseudo-terminal, as console or as serial port."""
    assert has_console("<domain><devices><serial type='pty'/></devices></domain>")
    assert not has_console("<domain><devices><serial type='file'/></devices></domain>")
    assert not has_console("<domain/>")


@pytest.fixture
def real() -> Iterator[Machines]:
    """Speak to libvirt's own test driver: one machine that runs."""
    libvirt.registerErrorHandler(lambda context, error: None, None)
    connection = libvirt.open("test:///default")
    yield Machines(lambda: connection)
    connection.close()


def test_machines_of_a_real_libvirt(real: Machines) -> None:
    """They are listed, stopped and started; what is so already is a conflict."""
    found = real.list()[0]
    uuid = str(found["uuid"])
    assert (found["name"], found["state"], found["cpus"]) == ("test", "running", 2)
    assert found["memory_bytes"] == 2 << 30
    for deed, code in (("start", "conflict"), ("shutdown", ""), ("poweroff", "conflict"), ("start", "")):
        if code:
            with pytest.raises(Refusal) as caught:
                real.do(uuid, deed)
            assert caught.value.code == code
        else:
            real.do(uuid, deed)
    real.do(uuid, "poweroff")
    assert real.list()[0]["state"] == "shut off"


def test_errors_of_a_real_libvirt_are_ours(real: Machines) -> None:
    """A machine that is not there, and a libvirt that is not."""
    answers: list[dict[str, object]] = []
    request: dict[str, object] = {"id": 1, "verb": "do", "uuid": "0" * 32, "deed": "start"}
    real.handle(request, answers.append)
    assert "'not-found'" in str(answers.pop())
    dead = Machines(lambda: libvirt.open("qemu+unix:///system?socket=/nowhere"))
    dead.handle({"id": 2, "verb": "list"}, answers.append)
    assert "'unavailable'" in str(answers.pop())


def test_its_hints_name_a_place_that_front_ends_know() -> None:
    """The program loads nothing of ours, and writes the mark itself."""
    assert at(Place.GUESTS) == SEE_GUESTS
