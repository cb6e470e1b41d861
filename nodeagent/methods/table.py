"""All methods of the bus."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.methods.access import access_methods
from nodeagent.methods.core import core_methods
from nodeagent.methods.guests import guests_methods
from nodeagent.methods.install import install_methods
from nodeagent.methods.network import network_methods
from nodeagent.methods.storage import storage_methods
from nodeagent.methods.support import support_methods
from nodeagent.methods.system import system_methods
from nodeagent.methods.update import update_methods


def agent_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out all methods; those that take time are done away from the main loop."""
    return (
        *core_methods(agent),
        *access_methods(agent),
        *network_methods(agent),
        *storage_methods(agent),
        *guests_methods(agent),
        *support_methods(agent),
        *system_methods(agent),
        *install_methods(agent),
        *update_methods(agent),
    )
