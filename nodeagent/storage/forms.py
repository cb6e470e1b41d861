"""The forms of what people type about storage."""

import re

from nodeagent.dial import Endpoint, read_endpoint
from nodelib.errors import InvalidInput

ISCSI_PORT = 3260
TARGET = re.compile(
    r"iqn\.\d{4}-\d{2}\.[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[^\s/,\x00-\x1f]+)?"
    r"|eui\.[0-9A-Fa-f]{16}|naa\.[0-9A-Fa-f]{16}(?:[0-9A-Fa-f]{16})?"
)
LONGEST_TARGET = 223
SECRET = re.compile(r"[ -~]{1,256}")
"""Printable ASCII: initiator and targets agree on nothing more."""
EXPORT = re.compile(r"/[^\x00-\x1f\x7f]*")
OPTIONS = re.compile(r"[a-z][a-z0-9_]*(?:=[A-Za-z0-9_.:-]+)?(?:,[a-z][a-z0-9_]*(?:=[A-Za-z0-9_.:-]+)?)*")
FOREIGN_OPTIONS = {"bind", "rbind", "move", "remount", "loop", "bg", "fsc", "user", "users", "suid", "dev"}
"""Options that would make another mount of it, or one that outlives the test."""


def read_portal(text: str) -> Endpoint:
    """Read HOST or HOST:PORT of an iSCSI portal."""
    portal = read_endpoint(text, ISCSI_PORT)
    if portal.host.startswith("-") or not re.fullmatch(r"[A-Za-z0-9_.:%-]+", portal.host):
        raise InvalidInput([f"{text!r} is not an address"], "write HOST or HOST:PORT")
    return portal


def read_target(text: str) -> str:
    """Read a target's name: iqn.YYYY-MM.DOMAIN:WHAT, eui. or naa. with digits."""
    name = text.strip()
    if len(name) > LONGEST_TARGET or not TARGET.fullmatch(name):
        raise InvalidInput(
            [f"{text!r} is not the name of a target"], "write iqn.YYYY-MM.DOMAIN:NAME, as the portal tells it"
        )
    return name


def check_chap(user: str, password: str) -> None:
    """Refuse half of what CHAP needs, and letters that its file cannot hold."""
    problems = []
    if bool(user) != bool(password):
        problems.append("CHAP needs a user and a password")
    for name, text in (("user", user), ("password", password)):
        if text and (not SECRET.fullmatch(text) or text != text.strip()):
            problems.append(f"the {name} has letters that iSCSI does not know, or blanks around it")
    if problems:
        raise InvalidInput(problems, "give both, in plain letters, digits and signs, or neither")


def read_server(text: str) -> str:
    """Read the host of an NFS server."""
    host = text.strip().removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*", host):
        raise InvalidInput([f"{text!r} is not a server"], "write its name or its IP address")
    return host


def read_export(text: str) -> str:
    """Read the path of an NFS export."""
    if not EXPORT.fullmatch(text.strip()):
        raise InvalidInput([f"{text!r} is not the path of an export"], "it begins with /")
    return text.strip()


def read_options(text: str) -> tuple[str, ...]:
    """Read mount options, separated by commas."""
    options = text.strip()
    if not options:
        return ()
    names = {option.partition("=")[0] for option in options.split(",")}
    if not OPTIONS.fullmatch(options) or names & FOREIGN_OPTIONS:
        raise InvalidInput(
            [f"{text!r} are not options for this"], "separate them by commas: vers=4.1,port=2049,sec=sys"
        )
    return tuple(options.split(","))
