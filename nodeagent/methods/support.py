"""The methods of nodelib/bus_support.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def support_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
