"""The methods of nodelib/bus_storage.py."""

from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.facts.sources import CommandRunner
from nodeagent.storage.iscsi import discover, login, logout
from nodeagent.storage.nfs import check_nfs
from nodeagent.storage.view import collect_storage
from nodelib.bus_storage import (
    ISCSI_DISCOVER,
    ISCSI_LOGIN,
    ISCSI_LOGOUT,
    NFS_TEST,
    STORAGE,
    IscsiLoginRequest,
    IscsiLogoutRequest,
)

IscsiRequest: TypeAlias = IscsiLoginRequest | IscsiLogoutRequest
LOOK_TIMEOUT = 10.0
NO_SESSION = {"target": "", "portal": ""}


def storage_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; a look waits for no login, and what changes something is done one by one."""
    looks = ThreadPoolExecutor(1, thread_name_prefix="storage-look")
    deeds = ThreadPoolExecutor(1, thread_name_prefix="storage")

    def end() -> None:
        for executor in (looks, deeds):
            executor.shutdown(wait=False, cancel_futures=True)

    agent.at_stop(end)
    command = CommandRunner(LOOK_TIMEOUT)

    def note(kind: str, does: str, request: IscsiRequest, actor: str, *, has_session: bool) -> None:
        session = {"target": request.target, "portal": request.portal}
        agent.events.add(
            kind=kind,
            text=f"{actor} {does} {request.target} at {request.portal}",
            actor=actor,
            before=NO_SESSION if has_session else session,
            after=session if has_session else NO_SESSION,
        )

    def log_in(request: IscsiLoginRequest, actor: str) -> None:
        login(request, agent.root)
        agent.lookout.look_at_disks()
        note("iscsi-login", "logs in to", request, actor, has_session=True)

    def log_out(request: IscsiLogoutRequest, actor: str) -> None:
        logout(request)
        agent.lookout.look_at_disks()
        note("iscsi-logout", "logs out of", request, actor, has_session=False)

    return (
        Method(STORAGE, lambda request, actor: collect_storage(agent.root, command), looks),
        Method(ISCSI_DISCOVER, lambda request, actor: discover(request.portal, agent.root), deeds),
        Method(ISCSI_LOGIN, log_in, deeds),
        Method(ISCSI_LOGOUT, log_out, deeds),
        Method(NFS_TEST, lambda request, actor: check_nfs(request), deeds),
    )
