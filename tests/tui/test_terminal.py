"""The whole program in a terminal: what it sends, what it takes, and how it ends."""

from pathlib import Path

import pytest

from tests.tui.terminals import console
from tui.look import detect_look, forced_size

MOST_BYTES = 4000
"""Four seconds at 9600 baud for the first picture."""
MOST_MEMORY = 60 * 1024
"""KiB."""


def test_a_serial_line_gets_plain_text_once_and_then_silence() -> None:
    """No byte beyond ASCII, no colour, a first picture within seconds, nothing while nothing changes."""
    with console("server", term="vt220", size=(0, 0)) as (terminal, process):
        terminal.wait_for(lambda text: "VMs running" in text and "F1 Help" in text)
        terminal.wait_for_silence(2.5)
        assert terminal.received.isascii()
        assert b"\x1b[38;" not in terminal.received
        assert b"\x1b[48;" not in terminal.received
        assert len(terminal.received) < MOST_BYTES
        terminal.send(b"2")
        terminal.wait_for(lambda text: "CA pin" in text)
        terminal.send(b"\x07")
        terminal.wait_for(lambda text: "Ctrl-G" in text)
        memory = Path(f"/proc/{process.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
        assert int(memory) < MOST_MEMORY


@pytest.mark.parametrize("term", ["vt220", "xterm-256color"])
def test_a_terminal_that_vanishes_ends_the_process(term: str) -> None:
    """A console that nobody sees any more ends; it neither spins nor stays."""
    with console("small", term=term) as (terminal, process):
        terminal.wait_for(lambda text: "Status" in text)
        terminal.close()
        assert process.wait(20) is not None


def test_keys_that_would_end_other_programs_do_not_end_it() -> None:
    """Ctrl-C, Ctrl-Q, Ctrl-Z and Ctrl-backslash leave the machine's console as it is."""
    with console("small", term="linux") as (terminal, process):
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.send(b"\x03\x11\x1a\x1c")
        terminal.send(b"3")
        terminal.wait_for(lambda text: ">3" in text)
        assert process.poll() is None


def test_what_is_typed_ahead_goes_where_it_was_meant_to() -> None:
    """A whole form in one go, as a slow machine has it: Tab counts before what follows it."""
    with console("small", term="vt102") as (terminal, _):
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.send(b"2")
        terminal.wait_for(lambda text: "CA pin" in text)
        terminal.wait_for_silence(0.5)
        terminal.send(b"192.0.2.1\tsha256:12\ttoken")
        terminal.wait_for(lambda text: "[192.0.2.1 " in text and "[sha256:12 " in text)


def test_what_came_before_the_first_picture_opens_nothing() -> None:
    """The rest of an answer that systemd did not wait for; a session of a person's own takes early keys."""
    late = b"4;80R"
    with console("small", term="vt102", words=("--line",)) as (terminal, _):
        terminal.send(late)
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.wait_for_silence(1.5)
        assert ">1" in terminal.text
    with console("small", term="vt102") as (terminal, _):
        terminal.send(late)
        terminal.wait_for(lambda text: ">0" in text)


@pytest.mark.parametrize("sent", [b"\x1b[[A", b"\x1bOP", b"\x1b[11~", b"\x07", b"?"])
def test_help_opens_by_what_terminals_send(sent: bytes) -> None:
    """F1 as Linux, xterm and VT220 send it; Ctrl-G; a question mark."""
    with console("small", term="linux") as (terminal, _):
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.send(sent)
        terminal.wait_for(lambda text: "this help" in text)


@pytest.mark.parametrize("sent", [b"\x1b[24~", b"\x14"])
def test_power_opens_by_what_terminals_send(sent: bytes) -> None:
    """F12, Ctrl-T."""
    with console("small", term="vt220") as (terminal, _):
        terminal.wait_for(lambda text: "VMs running" in text)
        terminal.send(sent)
        terminal.wait_for(lambda text: "Switch off" in text and ">1" in text)


def test_colour_and_lines_where_a_terminal_has_them() -> None:
    """A modern terminal of a person's own gets both."""
    with console("small", term="xterm-256color", lang="C.UTF-8", size=(120, 40)) as (terminal, _):
        terminal.wait_for(lambda text: "VMs running" in text)
        assert b"\x1b[38;" in terminal.received or b";38;" in terminal.received
        assert "│" in terminal.text


@pytest.mark.parametrize(
    ("environ", "terminal", "ascii", "monochrome", "slow"),
    [
        ({"TERM": "xterm", "LANG": "C.UTF-8"}, "/dev/pts/3", False, False, False),
        ({"TERM": "linux", "LANG": "C.UTF-8"}, "/dev/tty1", True, False, False),
        ({"TERM": "vt220", "LANG": "C.UTF-8"}, "/dev/ttyS0", True, True, True),
        ({"TERM": "vt102", "LANG": "C.UTF-8"}, "/dev/ttyAMA0", True, True, True),
        ({"TERM": "dumb"}, "/dev/hvc0", True, True, True),
        ({"TERM": "xterm", "LANG": "C"}, "/dev/pts/3", True, False, False),
        ({"TERM": "xterm", "LANG": "en_GB.utf8", "NO_COLOR": "1"}, "/dev/pts/3", False, True, False),
    ],
)
def test_a_terminal_is_judged_by_its_name(
    environ: dict[str, str], terminal: str, ascii: bool, monochrome: bool, slow: bool
) -> None:
    """What cannot be shown is not sent, and a serial line is spared."""
    look = detect_look(environ, terminal, ascii=False, monochrome=False)
    assert (look.ascii, look.monochrome, look.slow) == (ascii, monochrome, slow)


def test_what_is_no_terminal_is_80_by_24() -> None:
    """A size that cannot be asked is assumed."""
    with Path("/dev/null").open() as nothing:
        assert forced_size(nothing.fileno()) == (80, 24)
