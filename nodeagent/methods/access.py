"""The methods of nodelib/bus_access.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodelib.bus_access import ACCESS, FETCH_KEYS, LOCK, SET_PASSWORD, UNLOCK, KeysReply, KeysRequest


def access_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    admin, asides = agent.administrator, agent.asides
    return (
        Method(ACCESS, executor=asides, for_caller=lambda request, caller: admin.access(caller)),
        Method(UNLOCK, executor=asides, for_caller=admin.unlock),
        Method(LOCK, executor=asides, for_caller=lambda request, caller: admin.lock(caller)),
        Method(SET_PASSWORD, executor=agent.deeds, for_caller=admin.set_password),
        Method(FETCH_KEYS, fetch, asides),
    )


def fetch(request: KeysRequest, actor: str) -> KeysReply:
    """Fetch keys; what does that is loaded by whoever needs it."""
    from nodeagent.key_fetch import fetch_keys

    return KeysReply(fetch_keys(request.url))
