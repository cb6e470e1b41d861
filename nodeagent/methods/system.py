"""The methods of nodelib/bus_system.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.choices import list_keymaps, list_timezones
from nodelib.bus_system import (
    CHOICES,
    FACTORY_RESET,
    MAINTENANCE,
    METERS,
    POWER,
    SYSTEM,
    ChoicesReply,
)


def system_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; what waits for guests or for the engine must not hold up a countdown."""
    machine, asides, root = agent.machine, agent.asides, agent.root
    return (
        Method(METERS, lambda request, actor: machine.meters()),
        Method(SYSTEM, lambda request, actor: machine.system()),
        Method(
            CHOICES,
            lambda request, actor: ChoicesReply(list_keymaps(root), list_timezones(root)),
            asides,
        ),
        Method(POWER, machine.power, asides),
        Method(MAINTENANCE, machine.set_maintenance, asides),
        Method(FACTORY_RESET, machine.reset, asides),
    )
