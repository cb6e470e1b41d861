"""The program as a process: started when asked, ended when not, killed when it hangs."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.guests.desk import GuestDesk
from nodeagent.guests.program import GuestProgram
from nodelib.bus_guests import GuestDeed, GuestRequest
from nodelib.errors import Code, VirtnodeError
from tests.nodeagent.engine_double import wait_for

URI = "test:///default"


@pytest.fixture
def program() -> Iterator[GuestProgram]:
    """Have a program over libvirt's test driver."""
    program = GuestProgram(URI)
    yield program
    program.stop()
    wait_for(lambda: program.pid is None)


def test_machines_are_listed_stopped_and_started(program: GuestProgram) -> None:
    """Over one run of the program, which is not there before it is needed."""
    desk = GuestDesk(program)
    assert program.pid is None
    guest = desk.list().guests[0]
    assert (guest.name, guest.state, guest.cpus, guest.console) == ("test", "running", 2, False)
    pid = program.pid
    desk.do(GuestRequest(guest.uuid, GuestDeed.POWEROFF))
    assert desk.list().guests[0].state == "shut off"
    with pytest.raises(VirtnodeError, match="test does not run") as caught:
        desk.do(GuestRequest(guest.uuid, GuestDeed.SHUTDOWN))
    assert caught.value.code is Code.CONFLICT
    assert program.pid == pid


def test_it_ends_by_itself_and_comes_back() -> None:
    """A program that nobody asks anything costs no memory; the next question starts another."""
    program = GuestProgram(URI, kept=0.2)
    desk = GuestDesk(program)
    assert desk.list().guests
    pid = program.pid
    wait_for(lambda: program.pid is None)
    assert desk.list().guests
    assert program.pid != pid
    program.stop()
    assert "stopping" in desk.list().problem


def test_one_that_hangs_is_killed(program: GuestProgram) -> None:
    """The list says what is wrong, and the next one is a fresh program's."""
    slow = GuestProgram(URI, timeout=0.5)
    desk = GuestDesk(slow)
    wait_for(lambda: desk.list().guests)
    assert slow.pid is not None
    os.kill(slow.pid, signal.SIGSTOP)
    assert "libvirt does not answer" in desk.list().problem
    wait_for(lambda: slow.pid is None)
    wait_for(lambda: desk.list().guests)
    slow.stop()


def test_one_that_dies_is_told(program: GuestProgram) -> None:
    """What it was doing may have been done or not: it is not done again."""
    program.call("list", {})
    pid = program.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    errors: list[VirtnodeError] = []

    def ask() -> None:
        try:
            program.call("list", {})
        except VirtnodeError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert [error.code for error in errors] in ([Code.FAILED], [])
    assert program.call("list", {})


def test_without_libvirt_the_list_says_so() -> None:
    """A sentence and a hint instead of machines."""
    program = GuestProgram("qemu+unix:///system?socket=/nowhere")
    found = GuestDesk(program).list()
    program.stop()
    assert found.guests == ()
    assert "libvirt cannot be reached" in found.problem
