"""The methods of nodelib/bus_access.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def access_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
