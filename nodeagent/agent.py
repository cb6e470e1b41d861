"""The agent: what the node is and does, for whoever asks over the bus or the link."""

import contextlib
import dataclasses
import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nodeagent.administrator import LOGIN_COMMAND, Administrator
from nodeagent.applier import Applier
from nodeagent.backoff import Backoff
from nodeagent.boot_config import read_report
from nodeagent.clocks import Clocks
from nodeagent.config_source import ConfigSource
from nodeagent.config_url import read_marks
from nodeagent.configuration import Configuration
from nodeagent.decided import Deciding
from nodeagent.dial import read_endpoint
from nodeagent.events import EventQueue
from nodeagent.facts.collector import FactsCollector
from nodeagent.facts.processor import collect_memory
from nodeagent.facts.sources import Command, CommandRunner, read_text
from nodeagent.facts.virtualisation import count_guests
from nodeagent.guard import Guard
from nodeagent.health import Health, collect_health, read_load, read_uptime
from nodeagent.identity import Identity, load_identity
from nodeagent.install.installation import Installation
from nodeagent.install.installation import Surroundings as InstallSurroundings
from nodeagent.intent_changes import secret_values
from nodeagent.ladder import LadderWatch, Surroundings
from nodeagent.link_session import Joining
from nodeagent.link_thread import LinkThread
from nodeagent.machine import Machine, Senses
from nodeagent.meters import read_storage
from nodeagent.notices import Outlook, collect_notices
from nodeagent.progress import Progress, ProgressBoard
from nodeagent.selfcheck.evidence import Known
from nodeagent.ssh_keys import keep_host_keys
from nodeagent.ssh_watch import SshWatch
from nodeagent.state_disk import State, read_state
from nodeagent.status import Observations, is_news, make_status, write_status
from nodeagent.support import collect_support, with_parts, write_support
from nodeagent.tree_files import TreeFiles
from nodeagent.trust import read_pin
from nodeagent.update.engine_image import EngineImages
from nodeagent.update.health import Signs, read_units
from nodeagent.update.image import read_packages
from nodeagent.update.update import Surroundings as UpdateSurroundings
from nodeagent.update.update import Update
from nodeagent.uploads import Uploads
from nodeagent.watch import Watch
from nodelib.bus import JoinRequest, LadderReply, Notice, Status, SupportReply, SupportRequest
from nodelib.bus_update import RollBack, UpdateView
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Ladder, Rung
from nodelib.link import ApplyReply, ApplyRequest, ConfigReply, Heartbeat
from nodelib.link_update import PackagesReply, UpdateOrder
from nodelib.run import run

logger = logging.getLogger(__name__)

FACTS_INTERVAL = 60.0
LOOK_CONNECTED, LOOK_JOINING, LOOK_PENDING = 30.0, 5.0, 1.0
"""Seconds between two looks: once joined, on the way, and while a change waits for its confirmation."""
FIRST_LOOK = 30.0
"""Seconds that the link waits for the first facts: the engine knows a node without a key by its hardware."""
LAST_WORDS = 3.0
"""Seconds that an engine gets to hear that the node leaves it."""
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
        login: Sequence[str] = LOGIN_COMMAND,
    ) -> None:
        self.root = root
        self._listeners = listeners
        self._clocks = clocks
        self.command = command or CommandRunner()
        self._collector = collector or FactsCollector(root, clocks.monotonic, command=self.command)
        self._facts = Facts(hostname=read_text(root / "proc/sys/kernel/hostname"))
        self._facts_at = 0.0
        self._has_looked = threading.Event()
        self._health = Health(True, ())
        self._status: Status | None = None
        self._ladder = ladder or LadderWatch()
        self._lock = threading.Lock()
        self.deeds = ThreadPoolExecutor(1, thread_name_prefix="deeds")
        """Where what takes time is done, one deed after the other."""
        self.asides = ThreadPoolExecutor(3, thread_name_prefix="asides")
        """Where questions are answered that take time, beside the deeds."""
        self.closing = contextlib.ExitStack()
        """What else must end with the agent."""
        self.uploads = Uploads()
        self._images = EngineImages()
        self._identity = load_identity(root)
        self._board = ProgressBoard(self._note_progress)
        self._events = EventQueue(root, clocks.wall)
        self._configuration = Configuration(applier, self._events, self._note_configuration)
        self.installation = Installation(
            InstallSurroundings(
                root,
                self.command,
                self.facts,
                lambda: self._configuration.loaded,
                self._events,
                clocks.wall,
            )
        )
        self.update = Update(
            UpdateSurroundings(
                root,
                self.command,
                self._signs,
                self._events,
                clocks.wall,
                clocks.monotonic,
                self._images,
            )
        )
        """Another image in the idle slot."""
        self.administrator = Administrator(
            root, self._configuration, self._events, clocks.monotonic, self.command, login
        )
        """The password and the lock."""
        joining = Joining(
            self._identity,
            self,
            self._board,
            self._events,
            self.deeds,
            clocks,
            uploads=self.uploads,
            images=self._images,
            asides=self.asides,
        )
        self.machine = Machine(
            root,
            self._events,
            Senses(self.facts, lambda: self._board.now, self.hostname, joining.wishes.ask),
            clocks.monotonic,
            self.command,
        )
        """Meters, slots and power."""
        self._link = LinkThread(joining, lambda: self._configuration.intent.engine)
        self._engine = self._configuration.intent.engine
        self._ssh = SshWatch(TreeFiles(root), applier.services, clocks.monotonic)
        self._watch = Watch(self._look)
        self._has_document = threading.Event()
        """A document was fetched, and waits to be taken up."""
        self._source = ConfigSource(
            root,
            self._configuration.config_url,
            marks=lambda: read_marks(root, self._facts.nics),
            pins=lambda: self._configuration.intent.engine.ca,
            is_open=self._configuration.is_open,
            on_document=self._note_document,
            backoff=Backoff(random.random),
        )
        self._source_watch = Watch(self._source.look)

    @property
    def guard(self) -> Guard:
        """Who may change this node."""
        return self.administrator.guard

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
        self._source_watch.stop()
        self._link.stop()
        self.update.stop()
        self.closing.close()
        self.deeds.shutdown(cancel_futures=True)
        for thread in (self._watch, self._source_watch, self._link):
            if thread.ident is not None:
                thread.join(10)
        # The watch asks for something to be done with its last look, too.
        self.asides.shutdown(cancel_futures=True)

    def at_stop(self, end: Callable[[], None]) -> None:
        """Have something that others started end with the agent."""
        self.closing.callback(end)

    def status(self) -> Status:
        """Tell how the node stands now."""
        engine = self._configuration.intent.engine
        state = read_state(self.root)
        validity = self._identity.validity()
        until = validity.end if validity else 0.0
        problems = [*([state.problem] if state.problem else []), *read_report(self.root).problems]
        problems += [*self._source.problems, *self._configuration.problems]
        return make_status(
            Observations(
                facts=self._facts,
                hostname=self.hostname(),
                engine=engine.address,
                progress=self._board.now,
                membership=self._identity.membership(),
                code=self._identity.code,
                fingerprint=self._identity.fingerprint,
                ladder=self._ladder.ladder,
                pending=self._configuration.pending(),
                problems=(*problems, *self.installation.problems, *self._health.problems),
                warnings=self._notices(state, until),
                pins=engine.ca,
                certificate_until=until,
            )
        )

    def _notices(self, state: State, certificate_until: float) -> tuple[Notice, ...]:
        found = collect_notices(
            Outlook(
                now=self._clocks.wall(),
                health=self._health,
                state=state,
                storage=read_storage(self.root),
                certificate_until=certificate_until,
                skew=self._board.now.skew,
            )
        )
        return (*self.update.notices, *found)

    def _signs(self) -> Signs:
        """Tell what an image on trial is judged by."""
        units, is_starting = read_units(self.command)
        return Signs(
            ladder=self._ladder.ladder,
            failed_units=units,
            is_starting=is_starting,
            libvirt_answers=bool(self._facts.virtualisation.libvirt),
            change_waits=self._configuration.pending() is not None,
            problems=self._configuration.problems,
            is_connected=self._board.now.connected,
            state_problem=read_state(self.root).problem,
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
    def events(self) -> EventQueue:
        """What happened, until the engine has it."""
        return self._events

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
        return self._configuration.apply(request.patch, request.window, "engine", Deciding.ENGINE)

    def confirm_config(self, ticket: str) -> None:
        """Keep a change that the engine asked for."""
        self._configuration.confirm(ticket, "engine")

    def reboot(self) -> None:
        """Restart the machine, as the engine asks."""
        self._events.add(kind="reboot", text="the engine restarts this node", actor="engine")
        run(["systemctl", "reboot"], timeout=30)

    def begin_update(self, order: UpdateOrder) -> None:
        """Take a bundle of the engine's."""
        self.update.order(order, "engine")

    def show_update(self) -> UpdateView:
        """Tell the engine how the newest update stands."""
        return self.update.view()

    def roll_back(self, request: RollBack) -> None:
        """Go back to the other slot's image, as the engine asks."""
        self.update.roll_back(request, "engine")

    def packages(self) -> PackagesReply:
        """Tell the engine what the image was made of."""
        return PackagesReply(self._facts.build_id, read_packages(self.root))

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
            is_other = (before.address, set(before.ca)) != (request.address, set(pins))
            who = Deciding.NOBODY if is_other else Deciding.PEOPLE
            self._configuration.apply_at_once(patch, actor, who)
            if is_other:
                self._identity.forget()
            self._events.add(
                kind="join",
                text=f"joins the engine at {request.address}",
                actor=actor,
                before={"address": before.address, "ca": list(before.ca)},
                after={"address": request.address, "ca": list(pins)},
            )

    def leave(self, actor: str) -> None:
        """Leave the engine: the node stays by itself until it is joined again."""
        engine = self._configuration.intent.engine
        if not engine.address:
            raise VirtnodeError(Code.CONFLICT, "this node has no engine to leave")
        self._events.add(
            kind="leave",
            text=f"leaves the engine at {engine.address}",
            actor=actor,
            before={"address": engine.address, "ca": list(engine.ca)},
            after={"address": "", "ca": []},
        )
        if self._board.now.connected:
            # Afterwards there is nobody left to tell.
            self._events.wait_until_reported(LAST_WORDS)
        with self._link.changing():
            patch = {"engine": {"address": "", "ca": [], "token": ""}}
            self._configuration.apply_at_once(patch, actor, Deciding.NOBODY)
            self._identity.forget()

    def write_support(self, request: SupportRequest, actor: str) -> SupportReply:
        """Write what a helper needs to know, without any secret."""
        path = self.make_archive(Path(request.folder))
        self.note("archive", f"a support archive was written: {path}", actor)
        return SupportReply(str(path))

    def make_archive(self, folder: Path) -> Path:
        """Write the support archive into a folder; returns its path."""
        files = collect_support(
            self.root,
            self.status(),
            self._facts,
            self._ladder.ladder,
            self._configuration.show(),
            secrets=self.secrets(),
            command=self.command,
        )
        return write_support(folder, self.hostname(), self._clocks.wall(), files)

    def secrets(self) -> tuple[str, ...]:
        """List what must never leave this node in a text."""
        return with_parts(secret_values(self._configuration.intent))

    def note(self, kind: str, text: str, actor: str) -> None:
        """Have an event tell of something."""
        self._events.add(kind=kind, text=text, actor=actor)

    @property
    def is_connected(self) -> bool:
        """Tell whether the engine answers heartbeats."""
        return self._board.now.connected

    def known(self) -> Known:
        """Tell what the agent knows, for the self-check to judge."""
        validity = self._identity.validity()
        return Known(
            facts=self._facts,
            libvirt_known=self._collector.knows_libvirt,
            ladder=self._ladder.ladder,
            engine=self._configuration.intent.engine.address,
            state=self._board.now.state,
            skew=self._board.now.skew,
            certificate_ends=validity.end if validity else None,
            now=self._clocks.wall(),
            built_at=self._built_at(),
        )

    def _begin(self) -> None:
        try:
            self._configuration.start()
            keep_host_keys(self.root)
        except Exception:  # whatever stands in the way of the configuration, the engine may help
            logger.exception("the configuration could not be applied")
        if not self._has_looked.wait(FIRST_LOOK):
            logger.warning("nothing is known of this machine yet; its engine may take it for another")
        self._source_watch.start()
        self._link.start()
        self.installation.begin()
        self.update.begin()

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
        elif self._has_document.is_set():
            self._has_document.clear()
            self.deeds.submit(self._configuration.take_up)
        self._publish()
        # It waits for the service manager, and a countdown must not wait for that.
        self.asides.submit(self._ssh.look, self._configuration.intent.access.ssh, well=self._is_well())
        if pending is not None:
            return LOOK_PENDING
        return LOOK_CONNECTED if self._board.now.connected else LOOK_JOINING

    def _collect(self) -> None:
        now = self._clocks.monotonic()
        if now >= self._facts_at or self._collector.has_news:
            self._facts = self._collector.collect()
            self._health = collect_health(
                self._facts, self.command, libvirt_known=self._collector.knows_libvirt
            )
            self._facts_at = now + FACTS_INTERVAL
            self._has_looked.set()
        else:
            self._facts = dataclasses.replace(self._facts, nics=self._collector.collect_nics())

    def _is_well(self) -> bool:
        """Tell whether nothing is wrong with this machine itself; not whether its engine is there."""
        return not self._health.problems and not read_state(self.root).problem

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

    def _note_document(self) -> None:
        self._has_document.set()
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
