"""iSCSI through iscsiadm: what it is asked, and what its answers mean."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from nodeagent.dial import Endpoint
from nodeagent.storage.forms import check_chap, read_portal, read_target
from nodeagent.storage.iscsi_records import find_records, read_record, with_chap, write_record
from nodelib.bus_storage import DiscoverReply, IscsiLoginRequest, IscsiLogoutRequest, IscsiTarget
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at
from nodelib.run import Result, run

logger = logging.getLogger(__name__)

DISCOVER_TIMEOUT, LOGIN_TIMEOUT = 30.0, 60.0
DRIVER = "sys/module/iscsi_tcp"
LOAD_DRIVER = ("systemctl", "start", "modprobe@iscsi_tcp.service")
FOUND = re.compile(r"(\S+),-?\d+ (\S+)")
"""A line of a discovery: PORTAL,GROUP TARGET."""
RunCommand = Callable[[Sequence[str], float], Result]

SESSION_NOT_FOUND, NO_OBJECTS = 2, 21
ERRORS = {
    2: (Code.NOT_FOUND, "there is no such session", at(Place.STORAGE)),
    4: (Code.UNAVAILABLE, "the portal cannot be reached", "check its address, port, and the way to it"),
    5: (Code.FAILED, "the target refused the login", "does it let this node's initiator name in?"),
    8: (Code.UNAVAILABLE, "the portal does not answer", "check its address, port, and the way to it"),
    11: (Code.UNAVAILABLE, "the target does not answer", "the portal is there; is the target busy?"),
    12: (Code.UNAVAILABLE, "this image has no iSCSI transport", "is the module iscsi_tcp on it?"),
    13: (Code.DENIED, "iscsiadm may not do that", "the agent must run as root"),
    15: (Code.CONFLICT, "this node is logged in already", at(Place.STORAGE)),
    18: (Code.UNAVAILABLE, "iscsid cannot be reached", at(Place.UNIT, "iscsid.service")),
    19: (Code.FAILED, "the target refused the login for good", "does it let this initiator name in?"),
    20: (Code.UNAVAILABLE, "iscsid is not connected", at(Place.UNIT, "iscsid.service")),
    21: (Code.NOT_FOUND, "the portal has no targets for this node", "does it let its initiator name in?"),
    23: (Code.UNAVAILABLE, "the portal's name is not found", "check the name and this node's DNS servers"),
    24: (Code.DENIED, "the target refused user and password", "are CHAP's user and password right?"),
}
"""iscsiadm's exit statuses: what they mean, and what to do."""


def run_iscsiadm(argv: Sequence[str], timeout: float) -> Result:
    """Run iscsiadm to its end, however that is."""
    return run(argv, check=False, timeout=timeout)


def discover_argv(portal: Endpoint) -> list[str]:
    """Ask a portal for its targets."""
    return ["iscsiadm", "-m", "discovery", "-t", "sendtargets", "-p", str(portal)]


def node_argv(target: str, portal: Endpoint, *words: str) -> list[str]:
    """Do something with the record of a target at a portal."""
    return ["iscsiadm", "-m", "node", "-T", target, "-p", str(portal), *words]


def discover(text: str, root: Path, run_command: RunCommand = run_iscsiadm) -> DiscoverReply:
    """List the targets of a portal; iscsiadm wants the driver even for that."""
    portal = read_portal(text)
    load_driver(root, run_command)
    result = run_command(discover_argv(portal), DISCOVER_TIMEOUT)
    check(result, f"asking {portal}")
    return DiscoverReply(read_targets(result.stdout))


def login(request: IscsiLoginRequest, root: Path, run_command: RunCommand = run_iscsiadm) -> None:
    """Log in to a target; what CHAP needs goes into its record, for a command line is seen by everybody."""
    target, portal = read_target(request.target), read_portal(request.portal)
    check_chap(request.user, request.password)
    load_driver(root, run_command)
    if not find_records(root, target, portal):
        check(run_command(node_argv(target, portal, "-o", "new"), DISCOVER_TIMEOUT), f"noting {target}")
    before = {path: read_record(path) for path in find_records(root, target, portal)}
    if not before:
        raise VirtnodeError(Code.FAILED, f"iscsiadm kept no record of {target}", "is its database writable?")
    for path, text in before.items():
        write_record(path, with_chap(text, request.user, request.password))
    done = False
    try:
        check(run_command(node_argv(target, portal, "--login"), LOGIN_TIMEOUT), f"the login to {target}")
        done = True
    finally:
        if not done:
            # A password that did not serve is not kept, and what serves a session stays.
            for path, text in before.items():
                write_record(path, text)


def load_driver(root: Path, run_command: RunCommand = run_iscsiadm) -> None:
    """Have systemd load the driver that carries sessions: the agent, and what it starts, may load none."""
    if not (root / DRIVER).exists():
        result = run_command(LOAD_DRIVER, DISCOVER_TIMEOUT)
        if result.status:
            logger.warning("the driver iscsi_tcp is not loaded: %s", result.stderr.strip())


def logout(request: IscsiLogoutRequest, run_command: RunCommand = run_iscsiadm) -> None:
    """Log out of a target, and forget its record with the password in it."""
    target, portal = read_target(request.target), read_portal(request.portal)
    result = run_command(node_argv(target, portal, "--logout"), LOGIN_TIMEOUT)
    if result.status == NO_OBJECTS:
        raise VirtnodeError(
            Code.NOT_FOUND, f"there is no session with {target} at {portal}", ERRORS[SESSION_NOT_FOUND][2]
        )
    check(result, f"the logout from {target}")
    forgotten = run_command(node_argv(target, portal, "-o", "delete"), DISCOVER_TIMEOUT)
    if forgotten.status:
        logger.warning("the record of %s stays: iscsiadm ended with status %s", target, forgotten.status)


def read_targets(text: str) -> tuple[IscsiTarget, ...]:
    """Read a discovery's lines."""
    found = [FOUND.fullmatch(line.strip()) for line in text.splitlines()]
    targets = [IscsiTarget(match[2], match[1]) for match in found if match]
    return tuple(dict.fromkeys(targets))


def check(result: Result, what: str) -> None:
    """Raise what an exit status means; what iscsiadm said goes into the journal, without what it was told."""
    if result.status == 0:
        return
    said = "; ".join(line.strip() for line in result.stderr.splitlines() if line.strip())[-300:]
    logger.warning("%s failed: iscsiadm ended with status %s: %s", what, result.status, said)
    code, text, hint = ERRORS.get(
        result.status,
        (Code.FAILED, f"iscsiadm ended with status {result.status}", "the journal has what it said"),
    )
    raise VirtnodeError(code, f"{what}: {text}", hint)
