"""The methods of nodelib/bus_update.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodelib.bus_update import ROLL_BACK, UPDATE_PLAN, UPDATE_RUN, UPDATE_VIEW


def update_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; what waits for a server or for guests must not hold up a countdown."""
    update, asides = agent.update, agent.asides
    return (
        Method(UPDATE_PLAN, lambda request, actor: update.plan(request), asides),
        Method(UPDATE_RUN, update.run, asides),
        Method(UPDATE_VIEW, lambda request, actor: update.view(), asides),
        Method(ROLL_BACK, update.roll_back, asides),
    )
