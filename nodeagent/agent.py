"""The agent: what the node is and does, for whoever asks over the bus or the link."""

import dataclasses
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nodeagent.applier import Applier
from nodeagent.clocks import Clocks
from nodeagent.configuration import Configuration
from nodeagent.dial import read_endpoint
from nodeagent.events import EventQueue
from nodeagent.facts.collector import FactsCollector
from nodeagent.facts.processor import collect_memory
from nodeagent.facts.sources import Command, CommandRunner, read_text
from nodeagent.facts.virtualisation import count_guests
from nodeagent.health import Health, collect_health, read_load, read_uptime
from nodeagent.identity import Identity, load_identity
from nodeagent.install.installation import Installation
from nodeagent.install.installation import Surroundings as InstallSurroundings
from nodeagent.intent_changes import secret_values
from nodeagent.ladder import LadderWatch, Surroundings
from nodeagent.link_session import Joining
from nodeagent.link_thread import LinkThread
from nodeagent.progress import Progress, ProgressBoard
from nodeagent.ssh_keys import keep_host_keys
from nodeagent.state_disk import read_state
from nodeagent.status import Observations, is_news, make_status, write_status
from nodeagent.support import collect_support, write_support
from nodeagent.trust import read_pin
from nodeagent.watch import Watch
from nodelib.bus import JoinRequest, LadderReply, Status, SupportReply, SupportRequest
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Ladder, Rung
from nodelib.link import ApplyReply, ApplyRequest, ConfigReply, Heartbeat
from nodelib.run import run

logger = logging.getLogger(__name__)

FACTS_INTERVAL = 60.0
LOOK_CONNECTED, LOOK_JOINING, LOOK_PENDING = 30.0, 5.0, 1.0
"""Seconds between two looks: once joined, on the way, and while a change waits for its confirmation."""
FIRST_LOOK = 30.0
"""Seconds that the link waits for the first facts: the engine knows a node without a key by its hardware."""
OS_RELEASE = "usr/lib/os-release"


@dataclass(frozen=True)
class Listeners:
    """Who is told of changes, in whichever thread they happen."""

    status: Callable[[Status], None]
    ladder: Callable[[LadderReply], None]


class Agent:
    """All of the agent but its main loop; every method may be called from every thread."""

    def __init__(
        self,
        root: Path,
        applier: Applier,
        listeners: Listeners,
        clocks: Clocks,
        *,
        collector: FactsCollector | None = None,
        command: Command | None = None,
        ladder: LadderWatch | None = None,
    ) -> None:
        self.root = root
        self._listeners = listeners
        self._clocks = clocks
        self._command = command or CommandRunner()
        self._collector = collector or FactsCollector(root, clocks.monotonic, command=self._command)
        self._facts = Facts(hostname=read_text(root / "proc/sys/kernel/hostname"))
        self._facts_at = 0.0
        self._has_looked = threading.Event()
        self._health = Health(True, ())
        self._status: Status | None = None
        self._ladder = ladder or LadderWatch()
        self._lock = threading.Lock()
        self.deeds = ThreadPoolExecutor(1, thread_name_prefix="deeds")
        """Where what takes time is done, one deed after the other."""
        self._identity = load_identity(root)
        self._board = ProgressBoard(self._note_progress)
        self._events = EventQueue(root, clocks.wall)
        self._configuration = Configuration(applier, self._events, self._note_configuration)
        self.installation = Installation(
            InstallSurroundings(
                root,
                self._command,
                self.facts,
                lambda: self._configuration.loaded,
                self._events,
                clocks.wall,
            )
        )
        joining = Joining(self._identity, self, self._board, self._events, self.deeds, clocks)
        self._link = LinkThread(joining, lambda: self._configuration.intent.engine)
        self._engine = self._configuration.intent.engine
        self._watch = Watch(self._look)

    @property
    def identity(self) -> Identity:
        """The node's key and certificate."""
        return self._identity

    def start(self) -> None:
        """Begin: the configuration is applied before the engine is dialled."""
        self._watch.start()
        self.deeds.submit(self._begin)

    def stop(self) -> None:
        """End all threads."""
        self._watch.stop()
        self._link.stop()
        self.deeds.shutdown(cancel_futures=True)
        for thread in (self._watch, self._link):
            if thread.ident is not None:
                thread.join(10)

    def status(self) -> Status:
        """Tell how the node stands now."""
        engine = self._configuration.intent.engine.address
        state = read_state(self.root)
        problems = [*([state.problem] if state.problem else []), *self._configuration.problems]
        return make_status(
            Observations(
                facts=self._facts,
                hostname=self.hostname(),
                engine=engine,
                progress=self._board.now,
                membership=self._identity.membership(),
                code=self._identity.code,
                fingerprint=self._identity.fingerprint,
                ladder=self._ladder.ladder,
                pending=self._configuration.pending(),
                problems=(*problems, *self.installation.problems, *self._health.problems),
            )
        )

    def hostname(self) -> str:
        """Name this machine."""
        return read_text(self.root / "proc/sys/kernel/hostname")

    def facts(self) -> Facts:
        """Tell what was found last."""
        return self._facts

    def ladder(self) -> tuple[Rung, ...]:
        """Tell how the join stands."""
        return self._ladder.ladder

    def heartbeat(self) -> Heartbeat:
        """Tell how the node fares."""
        return Heartbeat(
            time=self._clocks.wall(),
            uptime=read_uptime(self.root),
            load=read_load(self.root),
            memory_available_bytes=collect_memory(self.root).available_bytes,
            guests=count_guests(self.root),
            healthy=self._health.healthy,
            problems=self._health.problems,
            ladder=self._ladder.ladder,
        )

    @property
    def configuration(self) -> Configuration:
        """The configuration; changes belong into `deeds`."""
        return self._configuration

    def show_config(self) -> ConfigReply:
        """Show the engine what is in force."""
        view = self._configuration.show()
        return ConfigReply(view.document, view.origins)

    def apply_config(self, request: ApplyRequest) -> ApplyReply:
        """Apply a change that the engine asks for."""
        return self._configuration.apply(request.patch, request.window, "engine")

    def confirm_config(self, ticket: str) -> None:
        """Keep a change that the engine asked for."""
        self._configuration.confirm(ticket, "engine")

    def reboot(self) -> None:
        """Restart the machine, as the engine asks."""
        self._events.add(kind="reboot", text="the engine restarts this node", actor="engine")
        run(["systemctl", "reboot"], timeout=30)

    def join(self, request: JoinRequest, actor: str) -> None:
        """Join an engine, from now on; raises InvalidInput for an address or a pin that is none."""
        read_endpoint(request.address)
        pins = tuple(read_pin(pin) for pin in request.ca)
        if not pins:
            raise VirtnodeError(
                Code.INVALID,
                "a pin of the engine's authority is needed; nothing is trusted without one",
                "add --ca sha256:HEX, as the engine prints it",
            )
        before = self._configuration.intent.engine
        patch = {"engine": {"address": request.address, "ca": list(pins), "token": request.token}}
        with self._link.changing():
            self._configuration.apply_at_once(patch, actor)
            if (before.address, set(before.ca)) != (request.address, set(pins)):
                self._identity.forget()
            self._events.add(kind="join", text=f"joins the engine at {request.address}", actor=actor)

    def leave(self, actor: str) -> None:
        """Leave the engine: the node stays by itself until it is joined again."""
        if not self._configuration.intent.engine.address:
            raise VirtnodeError(Code.CONFLICT, "this node has no engine to leave")
        with self._link.changing():
            self._configuration.apply_at_once({"engine": {"address": "", "ca": [], "token": ""}}, actor)
            self._identity.forget()

    def write_support(self, request: SupportRequest) -> SupportReply:
        """Write what a helper needs to know, without any secret."""
        files = collect_support(
            self.root,
            self.status(),
            self._facts,
            self._ladder.ladder,
            self._configuration.show(),
            secrets=secret_values(self._configuration.intent),
            command=self._command,
        )
        path = write_support(Path(request.folder), self.hostname(), self._clocks.wall(), files)
        return SupportReply(str(path))

    def _begin(self) -> None:
        try:
            self._configuration.start()
            keep_host_keys(self.root)
        except Exception:  # whatever stands in the way of the configuration, the engine may help
            logger.exception("the configuration could not be applied")
        if not self._has_looked.wait(FIRST_LOOK):
            logger.warning("nothing is known of this machine yet; its engine may take it for another")
        self._link.start()
        self.installation.begin()

    def _look(self) -> float:
        self._collect()
        before = self._ladder.ladder
        ladder = self._climb()
        if ladder != before:
            self._listeners.ladder(LadderReply(ladder))
            if _way_is_free(ladder) and not _way_is_free(before):
                self._link.hurry()
        pending = self._configuration.pending()
        if pending is not None:
            self.deeds.submit(self._configuration.tick)
        self._publish()
        if pending is not None:
            return LOOK_PENDING
        return LOOK_CONNECTED if self._board.now.connected else LOOK_JOINING

    def _collect(self) -> None:
        now = self._clocks.monotonic()
        if now >= self._facts_at or self._collector.has_news:
            self._facts = self._collector.collect()
            self._health = collect_health(
                self._facts, self._command, libvirt_known=self._collector.knows_libvirt
            )
            self._facts_at = now + FACTS_INTERVAL
            self._has_looked.set()
        else:
            self._facts = dataclasses.replace(self._facts, nics=self._collector.collect_nics())

    def _climb(self) -> Ladder:
        engine = self._configuration.intent.engine
        return self._ladder.climb(
            Surroundings(
                nics=self._facts.nics,
                engine=engine.address,
                proxy=engine.proxy,
                progress=self._board.now,
                code=self._identity.code,
                now=self._clocks.wall(),
                built_at=self._built_at(),
            )
        )

    def _built_at(self) -> float:
        try:
            return (self.root / OS_RELEASE).stat().st_mtime
        except OSError:
            return 0.0

    def _publish(self) -> None:
        with self._lock:
            status = self.status()
            news = is_news(self._status, status)
            self._status = status
        if news:
            write_status(self.root, status)
            self._listeners.status(status)

    def _note_progress(self, progress: Progress) -> None:
        self._watch.wake()

    def _note_configuration(self) -> None:
        engine = self._configuration.intent.engine
        if engine != self._engine:
            self._engine = engine
            self._link.redial()
        self._watch.wake()


def _way_is_free(ladder: Ladder) -> bool:
    """Tell whether all that this node can find out by itself is in order."""
    return bool(ladder) and all(rung.state.value == "ok" for rung in ladder[:5])
