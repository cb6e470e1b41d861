"""The methods of nodelib/bus_system.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def system_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
