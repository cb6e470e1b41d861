"""The methods of nodelib/bus_access.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.key_fetch import fetch_keys
from nodelib.bus_access import ACCESS, FETCH_KEYS, LOCK, SET_PASSWORD, UNLOCK, KeysReply


def access_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    admin, asides = agent.administrator, agent.asides
    return (
        Method(ACCESS, executor=asides, for_caller=lambda request, caller: admin.access(caller)),
        Method(UNLOCK, executor=asides, for_caller=admin.unlock),
        Method(LOCK, executor=asides, for_caller=lambda request, caller: admin.lock(caller)),
        Method(SET_PASSWORD, executor=agent.deeds, for_caller=admin.set_password),
        Method(FETCH_KEYS, lambda request, actor: KeysReply(fetch_keys(request.url)), asides),
    )
