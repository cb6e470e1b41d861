"""The measurement of the console: what it reads, and a serial line that somebody draws on."""

import socket
import threading
from pathlib import Path

import pytest

from bench.console import (
    Measured,
    Memory,
    SerialLine,
    figures_table,
    is_frame,
    parse_arguments,
    parse_memory,
    percentile,
)

FRAME = b"\x1b[2J\x1b[1;1Hvirtnode\x1b[2;1H>1 Status\x1b[3;1HVMs running 0\x1b[24;1HF1 Help"


def test_processes_are_read_the_agent_first() -> None:
    """KiB become bytes, consoles are named by their terminals."""
    found = parse_memory("console-ttyS0 50000 30000\nconsole-tty1 51000 31000\nagent 40000 36000\n")
    assert [memory.name for memory in found] == ["agent", "console-tty1", "console-ttyS0"]
    assert found[0] == Memory("agent", 40000 * 1024, 36000 * 1024)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    """Of twenty the 95th percentile is the last but one."""
    assert percentile([float(number) for number in range(20, 0, -1)], 0.95) == 19.0
    assert percentile([7.0], 0.95) == 7.0


def test_a_part_of_a_frame_is_none() -> None:
    """The boot menu and a picture without the agent's figures do not count."""
    assert not is_frame("virtnode Status F1 Help")
    assert is_frame("1 Status | VMs running 0 | F1 Help")


def test_every_figure_has_a_row() -> None:
    """Memory of each and of all, both times, bytes, both percentiles."""
    measured = Measured((Memory("agent", 40_000_000, 30_000_000),), 30.0, 4.0, 12.0, (0.1, 0.2, 0.3))
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in figures_table(measured).splitlines()[2:]
    ]
    assert [row[1] for row in rows] == ["40.0", "30.0", "40.0", "30.0", "30.0", "26.0", "12", "200", "300"]


def test_the_folder_of_a_build_is_needed() -> None:
    """There is nothing to boot without."""
    assert parse_arguments(["--artefacts", "out"]).artefacts == Path("out")
    with pytest.raises(SystemExit):
        parse_arguments([])


def test_a_line_is_read_to_the_last_byte_of_a_redraw() -> None:
    """The frame is waited for, silence has no bytes, a key's answer is timed though it comes in parts."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        line = SerialLine(ours)
        theirs.sendall(FRAME)
        line.wait_for_frame(5.0)
        assert line.count(0.05) == 0

        def answer() -> None:
            assert theirs.recv(1) == b"2"
            theirs.sendall(b"one")
            theirs.sendall(b"two")

        person = threading.Thread(target=answer)
        person.start()
        assert 0 < line.redraw("2") < 5
        person.join()
        theirs.close()
        with pytest.raises(EOFError):
            line.read(1.0)
