"""Installers that do not wait for the disk."""

import os
import subprocess
import sys

import pytest

from image.bases.unsynced import filter_program, unsynced_argv

SYNC_A_PIPE = "import os; os.fsync(os.pipe()[1])"
"""What the kernel refuses, a pipe having no disk, unless it does not look."""


def test_the_filter_is_whole() -> None:
    """Eight bytes an instruction, and the last two are the answers."""
    program = filter_program()
    assert len(program) == 8 * (3 + 5 + 2)
    assert program[-4:] == (0x00050000).to_bytes(4, "little")


def test_the_command_line_names_the_command_last() -> None:
    """The command is given as it is, word by word."""
    assert unsynced_argv(["cp", "a b"])[-2:] == ["cp", "a b"]
    assert unsynced_argv(["cp"])[0] == sys.executable


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set a filter without more ado")
def test_syncing_does_nothing_and_the_rest_works() -> None:
    """A call that must fail succeeds, and the command's own status comes back."""
    plain = [sys.executable, "-I", "-c", SYNC_A_PIPE]
    assert subprocess.run(plain, check=False, capture_output=True).returncode == 1
    assert subprocess.run(unsynced_argv(plain), check=False).returncode == 0
    assert subprocess.run(unsynced_argv(["sh", "-c", "exit 3"]), check=False).returncode == 3


def test_a_missing_command_is_an_error() -> None:
    """It does not look like success."""
    done = subprocess.run(unsynced_argv(["/no/such/program"]), check=False, capture_output=True)
    assert done.returncode != 0
