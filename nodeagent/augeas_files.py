"""Files of others, edited by augeas in a program of its own."""

import functools
import sys
from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

PROGRAM = Path(__file__).with_name("augeas_program.py")
NOT_UNDERSTOOD = 3
"""How the program ends for a file that augeas cannot read."""
TIMEOUT = 60.0


@functools.lru_cache(maxsize=4)
def name_in_hosts(text: str, address: str, name: str) -> str:
    """Return the text of a hosts file in which `address` stands for `name`, and for its first part."""
    argv = [sys.executable, "-I", str(PROGRAM), address, name]
    done = run(argv, stdin=text, check=False, timeout=TIMEOUT)
    if done.status == NOT_UNDERSTOOD:
        raise VirtnodeError(
            Code.CONFLICT, "/etc/hosts cannot be understood", "look for a line that is broken"
        )
    if done.status:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise VirtnodeError(Code.FAILED, f"augeas cannot edit /etc/hosts: {reason}")
    return done.stdout
