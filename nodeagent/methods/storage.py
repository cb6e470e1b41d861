"""The methods of nodelib/bus_storage.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method


def storage_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods."""
    return ()
