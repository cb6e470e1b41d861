"""Commands as they are run: what comes back, what a failure says, and what an interruption leaves."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

BOTH = "import sys; print('out'); print('one', file=sys.stderr); print('two', file=sys.stderr)"
PATIENCE = 20
"""Seconds after which a condition is taken for lost."""


def wait_until_gone(pid: int) -> None:
    """Return when a process has ended, its parent's having read its status aside."""
    deadline = time.monotonic() + PATIENCE
    state = Path(f"/proc/{pid}/stat")
    while time.monotonic() < deadline:
        try:
            if state.read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
    raise AssertionError(f"process {pid} is still there")


def test_a_command_returns_what_it_prints() -> None:
    """Both outputs come back apart and decoded."""
    result = run([sys.executable, "-c", BOTH])
    assert (result.status, result.stdout, result.stderr) == (0, "out\n", "one\ntwo\n")


def test_each_line_of_errors_is_seen_as_it_comes() -> None:
    """A watcher gets the lines without their ends, and the result has them all the same."""
    lines: list[str] = []
    result = run([sys.executable, "-c", BOTH], on_line=lines.append)
    assert lines == ["one", "two"]
    assert (result.stdout, result.stderr) == ("out\n", "one\ntwo\n")


def test_a_watched_command_reads_its_input() -> None:
    """Watching errors does not take standard input away."""
    copied = run([sys.executable, "-c", "print(input())"], stdin="words\n", on_line=print)
    assert copied.stdout == "words\n"


def test_much_output_on_both_sides_does_not_stall() -> None:
    """More than a pipe holds on either side is read to its end."""
    program = "import sys; sys.stderr.write('e' * 300000); sys.stdout.write('o' * 300000)"
    for on_line in (None, lambda line: None):
        result = run([sys.executable, "-c", program], on_line=on_line)
        assert (len(result.stdout), len(result.stderr)) == (300000, 300000)


def test_standard_input_is_empty_unless_given() -> None:
    """A command never waits for the terminal."""
    assert run(["cat"]).stdout == ""
    assert run(["cat"], stdin="text").stdout == "text"


def test_the_environment_is_added_to_and_the_language_plain(tmp_path: Path) -> None:
    """Messages come in English, for they are read by programs."""
    result = run(["env"], env={"EXTRA": "1"}, cwd=tmp_path)
    assert "EXTRA=1" in result.stdout
    assert "LC_ALL=C.UTF-8" in result.stdout
    assert f"PATH={os.environ['PATH']}" in result.stdout
    assert "PATH" not in [
        line.partition("=")[0] for line in run(["/usr/bin/env"], env={"PATH": None}).stdout.splitlines()
    ]


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    """A file name in another encoding shows as a replacement."""
    assert run(["printf", r"a\377b"]).stdout == "a�b"


def test_a_failure_shows_last_words_and_the_command() -> None:
    """The message has the last lines; the hint is what to paste."""
    with pytest.raises(VirtnodeError) as caught:
        run(["sh", "-c", "for i in 1 2 3 4; do echo line $i >&2; done; exit 3"])
    assert caught.value.code is Code.FAILED
    assert caught.value.message == "sh ended with status 3: line 2; line 3; line 4"
    assert caught.value.hint.startswith("the command was: sh -c 'for i")


def test_a_failure_without_words_says_so() -> None:
    """Silence is told apart from words that were lost."""
    with pytest.raises(VirtnodeError, match="false ended with status 1: it said nothing"):
        run(["false"])


def test_a_failure_may_be_asked_for() -> None:
    """Without check the status is an answer."""
    assert run(["false"], check=False).status == 1


def test_a_full_disk_is_told_in_plain_words() -> None:
    """Whatever program runs out of space, the message and the hint are the same."""
    with pytest.raises(VirtnodeError) as caught:
        run(["cp", "/proc/self/status", "/dev/full"])
    assert caught.value.message.startswith("the disk is full: cp: ")
    assert "free some space" in caught.value.hint


def test_a_missing_program_is_named() -> None:
    """The hint leads to what lists the missing ones."""
    with pytest.raises(VirtnodeError, match="the program no-such-program is not installed") as caught:
        run(["no-such-program"])
    assert caught.value.code is Code.UNAVAILABLE
    assert "doctor" in caught.value.hint


def test_a_missing_folder_is_no_missing_program(tmp_path: Path) -> None:
    """A bug in our own paths is not blamed on the host."""
    with pytest.raises(FileNotFoundError):
        run(["true"], cwd=tmp_path / "absent")


@pytest.mark.parametrize("watched", [False, True])
def test_a_command_that_takes_too_long_ends(watched: bool) -> None:
    """A time limit ends the command and whatever it started."""
    with pytest.raises(VirtnodeError, match=r"sh did not end within 0\.2 s"):
        run(["sh", "-c", "sleep 60 & wait"], timeout=0.2, on_line=print if watched else None)


def test_an_interruption_ends_the_whole_group(tmp_path: Path) -> None:
    """Ctrl-C here ends the command, and its children that ignore being asked."""
    pid_file = tmp_path / "pid"
    script = (
        f"sh -c 'trap \"\" TERM; echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; sleep 60' & wait"
    )
    program = (
        "import signal\nfrom nodelib.run import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run(['sh', '-c', {script!r}])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not pid_file.exists():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) != 0
    wait_until_gone(int(pid_file.read_text()))


def test_an_interruption_while_a_command_starts_waits(tmp_path: Path) -> None:
    """However early it comes, a command that has started is known, and ended."""
    program = (
        "import os, signal, threading\nfrom nodelib.run import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "threading.Timer(0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "for number in range(200):\n"
        f"    run(['sh', '-c', 'echo $$ > {tmp_path}/pid; exec sleep 0.05'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt")
    if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
        wait_until_gone(int((tmp_path / "pid").read_text()))


def test_no_file_descriptor_and_no_thread_is_left() -> None:
    """Running many commands takes no more than running one."""
    run(["true"], on_line=print)
    before = len(list(Path("/proc/self/fd").iterdir()))
    threads = set(threading.enumerate())
    for _ in range(5):
        run(["true"], on_line=print)
        run(["cat"], stdin="text")
        with pytest.raises(VirtnodeError):
            run(["no-such-program"], on_line=print)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    # Others may have left some, and those may end meanwhile.
    assert set(threading.enumerate()) <= threads


def test_the_command_is_logged_to_be_pasted(caplog: pytest.LogCaptureFixture) -> None:
    """With --verbose each command shows with its words quoted."""
    with caplog.at_level(logging.DEBUG, logger="nodelib.run"):
        run(["echo", "two words"])
    assert caplog.messages == ["run: echo 'two words'"]
