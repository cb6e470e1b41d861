"""The verbs of virtnodectl about storage."""

import argparse
from collections.abc import Iterator

from nodeagent.controls.network import say_probe
from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus_storage import (
    ISCSI_DISCOVER,
    ISCSI_LOGIN,
    ISCSI_LOGOUT,
    NFS_TEST,
    STORAGE,
    DiscoverRequest,
    IscsiLoginRequest,
    IscsiLogoutRequest,
    NfsTestRequest,
    StorageView,
)
from nodelib.codec import to_json
from nodelib.link import Nothing


def add_storage_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    storage = add_verb(
        verbs, "storage", run_storage, "show multipath disks, iSCSI sessions and the initiator"
    )
    storage.add_argument("--json", action="store_true", help="print it as JSON")
    iscsi = verbs.add_parser("iscsi", help="find iSCSI targets, log in and out")
    deeds = iscsi.add_subparsers(metavar="DEED", required=True)
    discover = add_verb(deeds, "discover", run_discover, "list the targets of a portal")
    login = add_verb(deeds, "login", run_login, "log in to a target")
    logout = add_verb(deeds, "logout", run_logout, "log out of a target")
    for verb in (login, logout):
        verb.add_argument("target", help="the target's name, iqn.…")
    for verb in (discover, login, logout):
        verb.add_argument("portal", help="HOST or HOST:PORT")
    login.add_argument("--user", default="", help="CHAP's user; its password is read from standard input")
    nfs = add_verb(verbs, "nfs-test", run_nfs_test, "try whether an NFS export can be mounted")
    nfs.add_argument("server", help="its name or address")
    nfs.add_argument("path", help="the export")
    nfs.add_argument("--options", default="", help="mount options, separated by commas")


def run_storage(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show what there is."""
    view = terminal.client.call(STORAGE, Nothing())
    terminal.say(to_json(view) if found.json else "".join(f"{line}\n" for line in storage_lines(view)))


def storage_lines(view: StorageView) -> Iterator[str]:
    """Lay storage out, one line a thing."""
    yield f"initiator  {view.initiator or 'none yet'}"
    for session in view.sessions:
        yield f"session    {session.target} at {session.portal}: {', '.join(session.disks) or 'no disks'}"
    for disk in view.multipaths:
        yield f"multipath  {disk.name} ({disk.wwid}), {disk.size_bytes / 1e9:.1f} GB"
        yield from (f"           {path}" for path in disk.paths)
    for problem in view.problems:
        yield f"problem    {problem}"


def run_discover(found: argparse.Namespace, terminal: Terminal) -> None:
    """List targets."""
    reply = terminal.client.call(ISCSI_DISCOVER, DiscoverRequest(found.portal))
    terminal.say("".join(f"{target.name} {target.portal}\n" for target in reply.targets))


def run_login(found: argparse.Namespace, terminal: Terminal) -> None:
    """Log in."""
    password = terminal.stdin.readline().rstrip("\n") if found.user else ""
    terminal.client.call(ISCSI_LOGIN, IscsiLoginRequest(found.target, found.portal, found.user, password))
    terminal.say(f"logged in to {found.target}")


def run_logout(found: argparse.Namespace, terminal: Terminal) -> None:
    """Log out."""
    terminal.client.call(ISCSI_LOGOUT, IscsiLogoutRequest(found.target, found.portal))
    terminal.say(f"logged out of {found.target}")


def run_nfs_test(found: argparse.Namespace, terminal: Terminal) -> None:
    """Try an export."""
    say_probe(
        terminal.client.call(NFS_TEST, NfsTestRequest(found.server, found.path, found.options)), terminal
    )
