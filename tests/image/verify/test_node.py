"""A running node is watched until it reports, gives up or ends, and its console is kept."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.qemu import Machine, Port, Socket, qemu_command
from image.verify.node import NodeSockets, RunningNode, dump_screen, start_node, watch_node
from image.verify.verdict import Ending
from nodelib.errors import VirtnodeError
from tests.image.verify.fake_qemu import make_fake_qemu, make_report


@contextlib.contextmanager
def node(folder: Path, *, console: str = "", report: str = "", stays: bool = True) -> Iterator[RunningNode]:
    """Start a fake machine with a node's channels."""
    sockets = NodeSockets(folder)
    machine = Machine(
        serial=Socket(sockets.console), ports=(Port("r", Socket(sockets.report)),), qmp=Socket(sockets.qmp)
    )
    fake = make_fake_qemu(folder, console=console, report=report, stays=stays)
    with start_node(qemu_command(machine, accelerator=fake), sockets, folder / "qemu.log") as running:
        yield running


def test_report_ends_the_watch_and_the_console_is_kept(tmp_path: Path) -> None:
    """What the node wrote is there, byte by byte."""
    report = make_report()
    with node(tmp_path, console="Welcome\r\n", report=report) as running:
        assert watch_node(running, tmp_path / "console.log", seconds=60) == (Ending.REPORTED, report)
    assert (tmp_path / "console.log").read_bytes() == b"Welcome\r\n"


def test_silence_ends_at_the_deadline(tmp_path: Path) -> None:
    """A node that never reports does not hold the verification up."""
    with node(tmp_path, console="Starting\r\n") as running:
        assert watch_node(running, tmp_path / "console.log", seconds=1.0) == (Ending.DEADLINE, "")
    assert (tmp_path / "console.log").read_bytes() == b"Starting\r\n"


def test_machine_that_ends_is_noticed_at_once(tmp_path: Path) -> None:
    """There is nothing to wait for any more, and what it said is kept."""
    with node(tmp_path, report="protocol=1\n", stays=False) as running:
        ending, text = watch_node(running, tmp_path / "console.log", seconds=60)
    assert ending is Ending.ENDED
    assert text in ("", "protocol=1\n")


def test_interruption_is_noticed_while_the_node_is_silent(tmp_path: Path) -> None:
    """Ctrl-C does not wait for a deadline."""
    answers = iter((False, True))
    with node(tmp_path) as running:
        ending, _ = watch_node(
            running, tmp_path / "console.log", seconds=60, interrupted=lambda: next(answers)
        )
    assert ending is Ending.INTERRUPTED


@pytest.mark.parametrize(
    ("console", "ending"),
    [
        ("[ 1.0] Kernel panic - not syncing: Attempted to kill init!\r\n", Ending.PANIC),
        ("Entering emergency mode. Exit the shell to continue.\r\n", Ending.EMERGENCY),
    ],
)
def test_node_that_gives_up_is_noticed_on_its_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, console: str, ending: Ending
) -> None:
    """The watch lasts only a little longer, for the last words."""
    monkeypatch.setattr("image.verify.node.LAST_WORDS_SECONDS", 0.2)
    with node(tmp_path, console=console) as running:
        assert watch_node(running, tmp_path / "console.log", seconds=60) == (ending, "")


def test_screen_is_dumped(tmp_path: Path) -> None:
    """QEMU writes the picture itself."""
    with node(tmp_path) as running:
        dump_screen(running, tmp_path / "screen.png")
    assert (tmp_path / "screen.png").read_bytes() == b"PNG"


def test_screen_of_a_machine_that_ended_is_only_missed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing screenshot does not hide why the machine ended."""
    with node(tmp_path, stays=False) as running:
        watch_node(running, tmp_path / "console.log", seconds=60)
        dump_screen(running, tmp_path / "screen.png")
    assert "no screenshot" in caplog.text


def test_qemu_that_does_not_start_says_why(tmp_path: Path) -> None:
    """QEMU's own last line is the error's."""
    command = ("sh", "-c", "echo 'qemu: -drive: no such file' >&2; exit 1")
    with (
        pytest.raises(VirtnodeError, match=r"QEMU did not start: qemu: -drive: no such file"),
        start_node(command, NodeSockets(tmp_path), tmp_path / "qemu.log"),
    ):
        pass
