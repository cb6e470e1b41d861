"""The tests of the network that a person asks for."""

from nodeagent.agent import Agent
from nodeagent.dial import is_address, read_endpoint
from nodeagent.probes.checks import Network, probe_dns, probe_gateways, probe_host, too_slow
from nodeagent.probes.deadline import within
from nodeagent.probes.engine import EngineAddress, probe_engine
from nodeagent.trust import pins_of
from nodelib.bus_network import Probe, ProbeReply, ProbeRequest
from nodelib.errors import VirtnodeError

PATIENCE = 5.0
"""Seconds that a test may take."""


def answer_probe(agent: Agent, request: ProbeRequest) -> ProbeReply:
    """Do a test, and say so where it takes too long; raises InvalidInput for a target that is none."""
    try:
        return within(PATIENCE, lambda: run_probe(agent, request, Network()), "the test")
    except VirtnodeError as error:
        return too_slow(error)


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
