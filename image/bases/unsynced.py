"""Run a command that need not wait for the disk: `python unsynced.py COMMAND...`, for what can be made again.

An installer asks the disk to keep each of thousands of files at once. A stage that a power failure spoils is
made again, so those requests are answered with success, by the kernel, in the command and its children.
Whoever runs it brings the result to disk in one go.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

X86_64 = 0xC000003E
SYNC_CALLS = {"fsync": 74, "fdatasync": 75, "sync": 162, "sync_file_range": 277, "syncfs": 306}
"""Numbers of x86_64's system calls that wait for a disk."""

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_OFFSET, ARCHITECTURE_OFFSET = 0, 4
ALLOW, SUCCEED = 0x7FFF0000, 0x00050000
"""Seccomp's answers: do the call; do nothing and return error 0, which is success."""
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2


class Program(ctypes.Structure):
    """The kernel's struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def unsynced_argv(argv: Sequence[str]) -> list[str]:
    """Build the command line that runs `argv` without waiting for the disk."""
    return [sys.executable, "-I", str(Path(__file__).absolute()), *argv]


def filter_program() -> bytes:
    """Assemble the filter, as struct sock_filter: code, steps to jump if true, if false, and a number."""
    calls = sorted(SYNC_CALLS.values())
    rows = [(LOAD, 0, 0, ARCHITECTURE_OFFSET), (JUMP_IF_EQUAL, 0, len(calls) + 1, X86_64)]
    rows.append((LOAD, 0, 0, NUMBER_OFFSET))
    rows += [(JUMP_IF_EQUAL, len(calls) - position, 0, call) for position, call in enumerate(calls)]
    rows += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, SUCCEED)]
    return b"".join(struct.pack("=HBBI", *row) for row in rows)


def main() -> None:
    """Set the filter and become the command; a kernel without filters runs it as it is."""
    instructions = filter_program()
    program = Program(len(instructions) // 8, instructions)
    ctypes.CDLL(None).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
