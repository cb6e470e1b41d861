"""The methods of nodelib/bus_guests.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def guests_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
