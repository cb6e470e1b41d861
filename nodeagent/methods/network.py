"""The methods of nodelib/bus_network.py."""

from concurrent.futures import ThreadPoolExecutor

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.network.lease import persist_dhcp
from nodeagent.network.presence import check_presence
from nodeagent.probes.blink import start_blinking
from nodelib.bus_network import (
    BLINK,
    LEASE,
    PROBE,
    BlinkRequest,
    LeaseReply,
    LeaseRequest,
    ProbeReply,
    ProbeRequest,
)


def network_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; tests wait for others and have threads of their own."""
    waiting = ThreadPoolExecutor(2, thread_name_prefix="probes")
    agent.at_stop(lambda: waiting.shutdown(wait=False, cancel_futures=True))

    def probe(request: ProbeRequest, actor: str) -> ProbeReply:
        # The tests are loaded by the first one.
        from nodeagent.probes.run import answer_probe

        return answer_probe(agent, request)

    def blink(request: BlinkRequest, actor: str) -> None:
        start_blinking(agent.root, request.nic, request.seconds)

    def lease(request: LeaseRequest, actor: str) -> LeaseReply:
        check_presence(agent.root, request.nic)
        configuration = agent.configuration
        patch = persist_dhcp(request.nic, configuration.intent.network, root=agent.root)
        return LeaseReply(patch, configuration.plan(patch).changes)

    return (
        Method(PROBE, probe, waiting),
        Method(BLINK, blink, waiting),
        Method(LEASE, lease, agent.deeds),
    )
