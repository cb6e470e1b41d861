"""The methods of nodelib/bus_network.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def network_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
