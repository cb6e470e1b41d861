"""The methods of nodelib/bus_support.py."""

import functools
from typing import TYPE_CHECKING

from nodeagent.agent import Agent
from nodeagent.bus_service import Method
from nodelib.bus_support import BUNDLE, JOURNAL, SELF_CHECK, UNITS, USB_DRIVES

if TYPE_CHECKING:
    from nodeagent.helpdesk import HelpDesk


def support_methods(agent: Agent) -> tuple[Method, ...]:
    """Lay out the methods; none waits for changes of the configuration, nor they for it."""
    enquiries = agent.asides

    @functools.cache
    def desk() -> "HelpDesk":
        # Nobody needs help most of the time.
        from nodeagent.helpdesk import HelpDesk

        return HelpDesk(agent)

    return (
        Method(JOURNAL, lambda request, actor: desk().journal(request), enquiries),
        Method(UNITS, lambda request, actor: desk().units(), enquiries),
        Method(SELF_CHECK, lambda request, actor: desk().self_check(), enquiries),
        Method(USB_DRIVES, lambda request, actor: desk().usb_drives(), enquiries),
        Method(BUNDLE, lambda request, actor: desk().bundle(request, actor), enquiries),
    )
