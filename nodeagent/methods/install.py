"""The methods of nodelib/bus_install.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodelib.bus_install import INSTALL_DISKS, INSTALL_PLAN, INSTALL_PROGRESS, INSTALL_RUN, SURVEY


def install_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; the installation itself has a thread of its own."""
    installation, deeds = agent.installation, agent.deeds
    return (
        Method(INSTALL_DISKS, lambda request, actor: installation.view(), deeds),
        Method(INSTALL_PLAN, lambda request, actor: installation.plan(request), deeds),
        Method(INSTALL_RUN, lambda request, actor: installation.run(request, actor), deeds),
        Method(INSTALL_PROGRESS, lambda request, actor: installation.progress()),
        Method(SURVEY, lambda request, actor: installation.survey(), deeds),
    )
