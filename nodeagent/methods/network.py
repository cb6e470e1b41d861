"""The methods of nodelib/bus_network.py."""

from concurrent.futures import ThreadPoolExecutor

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.dial import is_address, read_endpoint
from nodeagent.network.lease import persist_dhcp
from nodeagent.network.presence import check_presence
from nodeagent.probes.blink import start_blinking
from nodeagent.probes.checks import Network, probe_dns, probe_gateways, probe_host, too_slow
from nodeagent.probes.deadline import within
from nodeagent.probes.engine import EngineAddress, probe_engine
from nodeagent.trust import pins_of
from nodelib.bus_network import (
    BLINK,
    LEASE,
    PROBE,
    BlinkRequest,
    LeaseReply,
    LeaseRequest,
    Probe,
    ProbeReply,
    ProbeRequest,
)
from nodelib.errors import VirtnodeError

PATIENCE = 5.0
"""Seconds that a test may take."""


def network_methods(agent: Agent, network: Network | None = None) -> tuple[Method, ...]:
    """Lay out the methods; tests wait for others and have threads of their own."""
    waiting = ThreadPoolExecutor(2, thread_name_prefix="probes")
    agent.at_stop(lambda: waiting.shutdown(wait=False, cancel_futures=True))
    around = network or Network()

    def probe(request: ProbeRequest, actor: str) -> ProbeReply:
        try:
            return within(PATIENCE, lambda: run_probe(agent, request, around), "the test")
        except VirtnodeError as error:
            return too_slow(error)

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


def run_probe(agent: Agent, request: ProbeRequest, network: Network) -> ProbeReply:
    """Do a test; raises InvalidInput for a target that is none."""
    engine = agent.configuration.intent.engine
    if request.probe is Probe.GATEWAY:
        return probe_gateways(network)
    if request.probe is Probe.DNS:
        return probe_dns(request.target or _name_of(engine.address), network, agent.root)
    if request.probe is Probe.ENGINE:
        pins = (*engine.ca, *pins_of(agent.identity.trusted_pem()))
        return probe_engine(EngineAddress(engine.address, pins, engine.proxy), PATIENCE - 1)
    return probe_host(request.target, network)


def _name_of(address: str) -> str:
    """Return the engine's name, or nothing where it is known by its address alone."""
    host = read_endpoint(address).host if address else ""
    return "" if is_address(host) else host
