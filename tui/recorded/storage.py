"""How a recorded machine behaves: storage. A target, a user or an export with `!` in it is refused."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus_network import ProbeReply
from nodelib.bus_storage import (
    ISCSI_DISCOVER,
    ISCSI_LOGIN,
    ISCSI_LOGOUT,
    NFS_TEST,
    STORAGE,
    DiscoverReply,
    DiscoverRequest,
    IscsiLoginRequest,
    IscsiLogoutRequest,
    IscsiSession,
    NfsTestRequest,
)
from nodelib.errors import Code, InvalidInput, VirtnodeError
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine


def discover(machine: "RecordedMachine", request: DiscoverRequest) -> DiscoverReply:
    """Find what is recorded; nothing at an address of TEST-NET-3, and no array where there is a `!`."""
    if "!" in request.portal:
        raise InvalidInput([f"portal: {request.portal!r} is neither HOST nor HOST:PORT"])
    if request.portal.startswith("203.0.113."):
        return DiscoverReply(())
    return machine.get(ISCSI_DISCOVER)


def log_in(machine: "RecordedMachine", request: IscsiLoginRequest) -> None:
    """Have one disk more; the user `wrong` is refused."""
    if request.user == "wrong":
        raise VirtnodeError(Code.DENIED, "the target refuses user and password", "ask whoever runs the array")
    view = machine.get(STORAGE)
    if any((one.target, one.portal) == (request.target, request.portal) for one in view.sessions):
        raise VirtnodeError(Code.CONFLICT, "this node is logged in there already")
    session = IscsiSession(request.target, request.portal, ("sde",))
    machine.put(STORAGE, dataclasses.replace(view, sessions=(*view.sessions, session)))


def log_out(machine: "RecordedMachine", request: IscsiLogoutRequest) -> None:
    """Have its disks no more."""
    view = machine.get(STORAGE)
    left = tuple(one for one in view.sessions if (one.target, one.portal) != (request.target, request.portal))
    if left == view.sessions:
        raise VirtnodeError(Code.NOT_FOUND, f"this node is not logged in to {request.target}")
    machine.put(STORAGE, dataclasses.replace(view, sessions=left))


def test_nfs(machine: "RecordedMachine", request: NfsTestRequest) -> ProbeReply:
    """Mount every export but /secret."""
    export = f"{request.server}:{request.path}"
    if request.path.startswith("/secret"):
        return ProbeReply(False, f"{export}: access denied by server", "export it to this node's address")
    return ProbeReply(True, f"{export} can be mounted and read", milliseconds=12.5)


ANSWERS: Answers = {
    ISCSI_DISCOVER: discover,
    ISCSI_LOGIN: log_in,
    ISCSI_LOGOUT: log_out,
    NFS_TEST: test_nfs,
}
