"""The methods of nodelib/bus_support.py."""

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodeagent.helpdesk import HelpDesk
from nodelib.bus_support import BUNDLE, JOURNAL, SELF_CHECK, UNITS, USB_DRIVES


def support_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; none waits for changes of the configuration, nor they for it."""
    desk, enquiries = HelpDesk(agent), agent.asides
    return (
        Method(JOURNAL, lambda request, actor: desk.journal(request), enquiries),
        Method(UNITS, lambda request, actor: desk.units(), enquiries),
        Method(SELF_CHECK, lambda request, actor: desk.self_check(), enquiries),
        Method(USB_DRIVES, lambda request, actor: desk.usb_drives(), enquiries),
        Method(BUNDLE, desk.bundle, enquiries),
    )
