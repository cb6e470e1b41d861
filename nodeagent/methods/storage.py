"""The methods of nodelib/bus_storage.py."""

from concurrent.futures import ThreadPoolExecutor

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.facts.sources import CommandRunner
from nodeagent.storage.iscsi import discover, login, logout
from nodeagent.storage.nfs import check_nfs
from nodeagent.storage.view import collect_storage
from nodelib.bus_storage import ISCSI_DISCOVER, ISCSI_LOGIN, ISCSI_LOGOUT, NFS_TEST, STORAGE

LOOK_TIMEOUT = 10.0


def storage_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; a look waits for no login, and what changes something is done one by one."""
    looks = ThreadPoolExecutor(1, thread_name_prefix="storage-look")
    deeds = ThreadPoolExecutor(1, thread_name_prefix="storage")

    def end() -> None:
        for executor in (looks, deeds):
            executor.shutdown(wait=False, cancel_futures=True)

    agent.at_stop(end)
    command = CommandRunner(LOOK_TIMEOUT)
    return (
        Method(STORAGE, lambda request, actor: collect_storage(agent.root, command), looks),
        Method(ISCSI_DISCOVER, lambda request, actor: discover(request.portal), deeds),
        Method(ISCSI_LOGIN, lambda request, actor: login(request, agent.root), deeds),
        Method(ISCSI_LOGOUT, lambda request, actor: logout(request), deeds),
        Method(NFS_TEST, lambda request, actor: check_nfs(request), deeds),
    )
