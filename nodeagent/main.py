"""virtnode-agent: the daemon's main loop."""

import logging
import sys
from pathlib import Path

from nodeagent import bus_service
from nodeagent.agent import Agent, Listeners
from nodeagent.applier import Applier
from nodeagent.bus_service import BusService
from nodeagent.clocks import Clocks
from nodeagent.methods.table import agent_methods
from nodeagent.notify import Notifier
from nodeagent.options import Options, read_options
from nodeagent.services import Services
from nodeagent.systemd_bus import SystemdBus
from nodelib.bus import LadderReply, Status
from nodelib.errors import VirtnodeError, exit_status
from nodelib.main_loop import MainLoop

logger = logging.getLogger(__name__)

BANNER = "virtnode-banner.service"
LOGIN_PROMPT = "run/virtnode/login-prompt"
"""There once a login prompt has been, which shows the banner."""


def main() -> int:
    """Run the agent until it is told to stop; returns the exit status."""
    options = read_options(sys.argv[1:])
    logging.basicConfig(
        format="%(message)s", level=logging.DEBUG if options.verbose else logging.INFO, stream=sys.stderr
    )
    # It logs each connection and each lost one; the agent says what matters of that itself.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    try:
        serve(options, SystemdBus(), Notifier())
    except VirtnodeError as error:
        logger.error("%s%s", error.message, f" ({error.hint})" if error.hint else "")
        return exit_status(error.code)
    return 0


def serve(options: Options, services: Services, notifier: Notifier) -> None:
    """Take the name on the bus, start the agent, and run the main loop until SIGTERM or SIGINT."""
    loop = MainLoop()
    connection = bus_service.connect(options.bus)
    applier = Applier(options.root, (options.root / "proc/cmdline").read_text(), services)
    signals = Signals(notifier, services, options.root / LOGIN_PROMPT)
    agent = Agent(options.root, applier, Listeners(signals.status, signals.ladder), Clocks())
    signals.service = service = BusService(connection, agent_methods(agent), loop.call_soon, agent.guard)
    name = bus_service.own_name(connection)
    loop.quit_on_signals()
    agent.start()
    notifier.say(READY="1", STATUS="starting")
    if notifier.watchdog_interval is not None:
        loop.call_every(notifier.watchdog_interval, lambda: notifier.say(WATCHDOG="1"))
    logger.info("ready; this node's approval code is %s", agent.identity.code)
    loop.run()
    notifier.say(STOPPING="1")
    service.remove()
    del name
    agent.stop()
    connection.close()


class Signals:
    """Passes changes on to the bus, the service manager and the banner."""

    def __init__(self, notifier: Notifier, services: Services, prompt: Path) -> None:
        self._notifier = notifier
        self._services = services
        self._prompt = prompt
        self.service: BusService | None = None

    def status(self, status: Status) -> None:
        """Tell of a new status."""
        self._notifier.say(STATUS=status_line(status))
        self._refresh_banner()
        if self.service is not None:
            self.service.tell_status(status)

    def _refresh_banner(self) -> None:
        if not self._prompt.exists():
            return
        # A path unit would lose what changes while the banner is being made.
        try:
            self._services.restart_soon(BANNER)
        except VirtnodeError as error:
            logger.warning("the login banner is not up to date: %s", error.message)

    def ladder(self, ladder: LadderReply) -> None:
        """Tell of a new ladder."""
        if self.service is not None:
            self.service.tell_ladder(ladder)


def status_line(status: Status) -> str:
    """Say in one line how the node stands."""
    if not status.engine:
        return "no engine is set"
    if status.connected:
        return f"joined to {status.engine} as {status.name or status.node}: {status.state}"
    return status.ladder or "on the way to the engine"


if __name__ == "__main__":
    sys.exit(main())
