"""The verbs of virtnodectl about access."""

import argparse
import getpass
import sys

from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus_access import (
    ACCESS,
    FETCH_KEYS,
    SET_PASSWORD,
    UNLOCK,
    Access,
    KeysRequest,
    PasswordRequest,
    UnlockRequest,
)
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing

ACCESS_DETAILS = """\
Changes need the administrator's password once one is set; root needs none. virtnodectl --unlock asks for it.
Over SSH nobody logs in with it: there keys count alone.
"""
PASSWORD_DETAILS = """\
It is the password of the account admin, with which people at the screen unlock the console. It is asked
twice, or read from standard input, one line, if that is no terminal. It holds at once and after each start.
"""
KEYS_DETAILS = """\
The keys are printed, one a line, and let nobody in yet. To let them in, put them into access.ssh_keys:
virtnodectl config apply.
"""


def add_access_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    access = add_verb(verbs, "access", run_access, "show who may log in and change this node")
    access.add_argument("--json", action="store_true", help="print it as JSON")
    access.epilog = ACCESS_DETAILS
    password = add_verb(verbs, "password", run_password, "set the administrator's password")
    password.add_argument(
        "--remove", action="store_true", help="take it away: everybody here may change things"
    )
    password.epilog = PASSWORD_DETAILS
    keys = verbs.add_parser("ssh-keys", help="look for public SSH keys")
    deeds = keys.add_subparsers(metavar="DEED", required=True)
    fetch = add_verb(deeds, "fetch", run_fetch, "print the public keys that an https URL has")
    fetch.add_argument("url", metavar="URL", help="where they are: https://…")
    fetch.epilog = KEYS_DETAILS


def run_access(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show how access stands."""
    access = terminal.client.call(ACCESS, Nothing())
    terminal.say(to_json(access) if found.json else access_text(access))


def access_text(access: Access) -> str:
    """Lay access out for a person."""
    lock = f"after {access.idle_lock} s without a change" if access.idle_lock else "never"
    rows = [
        (
            "password",
            f"set, of the account {access.account}" if access.password_set else "none: anybody may change",
        ),
        ("this caller", "may change things" if access.unlocked else "is locked"),
        ("consoles lock", lock),
        ("SSH", f"{access.ssh}; {'runs' if access.ssh_running else 'does not run'}"),
        *[("SSH key", key) for key in access.ssh_keys or ("none of the configuration's",)],
        *[("host key", key) for key in access.host_keys],
    ]
    return "".join(f"{name:<14} {value}\n" for name, value in rows)


def unlock(terminal: Terminal) -> None:
    """Let what follows on this connection change things, for the administrator's password."""
    terminal.client.call(UNLOCK, UnlockRequest(read_password(terminal, "The administrator's password: ")))


def run_password(found: argparse.Namespace, terminal: Terminal) -> None:
    """Set the password, or take it away."""
    password = "" if found.remove else _read_new(terminal)
    terminal.client.call(SET_PASSWORD, PasswordRequest(password))
    terminal.say("the password is gone" if found.remove else "the password is set")


def run_fetch(found: argparse.Namespace, terminal: Terminal) -> None:
    """Print the keys of a URL."""
    reply = terminal.client.call(FETCH_KEYS, KeysRequest(found.url))
    terminal.say("\n".join(reply.keys))


def read_password(terminal: Terminal, prompt: str) -> str:
    """Ask for a password without showing it; from standard input where that is no terminal."""
    if terminal.stdin is sys.stdin and sys.stdin.isatty():
        return getpass.getpass(prompt)
    return terminal.stdin.readline().rstrip("\n")


def _read_new(terminal: Terminal) -> str:
    first = read_password(terminal, "New password: ")
    if not first:
        raise VirtnodeError(Code.INVALID, "an empty password is none", "--remove takes the password away")
    if terminal.stdin is sys.stdin and sys.stdin.isatty():
        again = read_password(terminal, "Again: ")
        if again != first:
            raise VirtnodeError(Code.INVALID, "the two are not the same", "type it again")
    return first
