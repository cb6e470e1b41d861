"""The agent: what the node is and does, for whoever asks over the bus or the link."""

import contextlib
import logging
import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nodeagent.administrator import LOGIN_COMMAND, Administrator
from nodeagent.applier import Applier
from nodeagent.asked import describe_asked
from nodeagent.backoff import Backoff
from nodeagent.bell import Bell
from nodeagent.boot_config import read_report
from nodeagent.boot_medium import has_disk_to_install_to
from nodeagent.clocks import Clocks
from nodeagent.config_source import ConfigSource
from nodeagent.config_steps import list_steps
from nodeagent.config_url import read_marks
from nodeagent.configuration import Configuration
from nodeagent.disk_claim import DiskClaim
from nodeagent.engine_side import EngineSide
from nodeagent.enrolment import Enrolment
from nodeagent.events import EventQueue
from nodeagent.facts.collector import FactsCollector
from nodeagent.facts.sources import Command, CommandRunner, read_text
from nodeagent.guard import Guard
from nodeagent.identity import Identity, load_identity
from nodeagent.install.installation import Installation
from nodeagent.install.installation import Surroundings as InstallSurroundings
from nodeagent.install_wait import InstallWait
from nodeagent.intent_changes import secret_values
from nodeagent.ladder import LadderWatch
from nodeagent.link_session import Joining
from nodeagent.link_thread import LinkThread
from nodeagent.lookout import Lookout
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
from nodeagent.update.engine_image import EngineImages
from nodeagent.update.health import Signs, read_units
from nodeagent.update.mirror_watch import MirrorWatch
from nodeagent.update.update import Surroundings as UpdateSurroundings
from nodeagent.update.update import Update
from nodeagent.uploads import Uploads
from nodeagent.watch import Watch
from nodeagent.wishes import Wishes
from nodelib.bus import LadderReply, Notice, Status, SupportReply, SupportRequest
from nodelib.ladder import Ladder
from nodelib.secret_arguments import secrets_of_arguments

logger = logging.getLogger(__name__)

LOOK_CONNECTED, LOOK_JOINING, LOOK_PENDING = 30.0, 5.0, 1.0
"""Seconds between two looks: once joined, on the way, and while a change waits for its confirmation."""
FIRST_LOOK = 30.0
"""Seconds that the link waits for the first facts: the engine knows a node without a key by its hardware."""


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
        self.lookout = Lookout(root, clocks, self.command, collector, ladder)
        """What was found last."""
        self._status: Status | None = None
        self._lock = threading.Lock()
        self.deeds = ThreadPoolExecutor(1, thread_name_prefix="deeds")
        """Where what takes time is done, one deed after the other."""
        self.asides = ThreadPoolExecutor(3, thread_name_prefix="asides")
        """Where questions are answered that take time, beside the deeds."""
        self.closing = contextlib.ExitStack()
        """What else must end with the agent."""
        bell = Bell()
        self.uploads = Uploads(bell.ring)
        self._images = EngineImages(bell.ring)
        self._identity = load_identity(root)
        self._board = ProgressBoard(self._note_progress)
        self._events = EventQueue(root, clocks.wall, bell.ring)
        self._configuration = Configuration(applier, self._events, self._note_configuration)
        claim = DiskClaim()
        self.installation = Installation(
            InstallSurroundings(
                root,
                self.command,
                lambda: self.lookout.facts,
                lambda: self._configuration.loaded,
                self._events,
                clocks.wall,
                claim,
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
                claim=claim,
            )
        )
        """Another image in the idle slot."""
        self.mirror = MirrorWatch(root, self.command, claim)
        """The second disk, if there is one."""
        self.administrator = Administrator(
            root, self._configuration, self._events, clocks.monotonic, self.command, login
        )
        """The password and the lock."""
        self.engine_side = EngineSide(
            root, self.lookout, self._configuration, self.update, self.mirror, self._events, clocks.wall
        )
        """What the engine may ask."""
        joining = Joining(
            self._identity,
            self.engine_side,
            self._board,
            self._events,
            self.deeds,
            clocks,
            Wishes(bell.ring),
            self.uploads,
            self._images,
            bell,
            self.asides,
        )
        self.machine = Machine(
            root,
            self._events,
            Senses(
                lambda: self.lookout.facts,
                lambda: self._board.now,
                self.lookout.hostname,
                joining.wishes.ask,
            ),
            clocks.monotonic,
            self.command,
        )
        """Meters, slots and power."""
        self._link = LinkThread(joining, lambda: self._configuration.intent.engine)
        self.enrolment = Enrolment(self._configuration, self._identity, self._events, self._board, self._link)
        """Joining and leaving."""
        self._engine = self._configuration.intent.engine
        self._ssh = SshWatch(TreeFiles(root), applier.services, clocks.monotonic)
        self._watch = Watch(self._look)
        self._has_document = threading.Event()
        """A document was fetched, and waits to be taken up."""
        self._source = ConfigSource(
            root,
            self._configuration.config_url,
            marks=lambda: read_marks(root, self.lookout.facts.nics),
            pins=lambda: self._configuration.intent.engine.ca,
            is_open=self._configuration.is_open,
            on_document=self._note_document,
            backoff=Backoff(random.random),
        )
        self._source_watch = Watch(self._source.look)
        self._install_wait = InstallWait(self.installation, self._source)

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
        report, loaded = read_report(self.root), self._configuration.loaded
        problems = [*([state.problem] if state.problem else []), *report.problems]
        problems += [*self._source.problems, *self._install_wait.problems, *self._configuration.problems]
        return make_status(
            Observations(
                facts=self.lookout.facts,
                hostname=self.lookout.hostname(),
                engine=engine.address,
                progress=self._board.now,
                membership=self._identity.membership(),
                code=self._identity.code,
                fingerprint=self._identity.fingerprint,
                ladder=self.lookout.ladder,
                pending=self._configuration.pending(),
                problems=(*problems, *self.installation.problems, *self.lookout.health.problems),
                warnings=self._notices(state, until),
                pins=engine.ca,
                certificate_until=until,
                asked=describe_asked(self._configuration.asked),
                sources=list_steps(report.steps, self._source.step, loaded.origins),
                # Of a state disk that is broken the problem tells.
                stateless=state.kind != "disk" and not state.problem,
                # Before the first look no disk is missing.
                has_room=not self.lookout.has_looked
                or has_disk_to_install_to(self.root, self.lookout.facts.disks),
                installed_to=self.installation.installed_to,
            )
        )

    def _notices(self, state: State, certificate_until: float) -> tuple[Notice, ...]:
        found = collect_notices(
            Outlook(
                now=self._clocks.wall(),
                health=self.lookout.health,
                state=state,
                storage=read_storage(self.root),
                certificate_until=certificate_until,
                skew=self._board.now.skew,
            )
        )
        return (*self.mirror.notices, *self.update.notices, *found)

    def _signs(self) -> Signs:
        """Tell what an image on trial is judged by."""
        units, is_starting = read_units(self.command)
        return Signs(
            ladder=self.lookout.ladder,
            failed_units=units,
            is_starting=is_starting,
            libvirt_answers=bool(self.lookout.facts.virtualisation.libvirt),
            change_waits=self._configuration.pending() is not None,
            problems=self._configuration.problems,
            is_connected=self._board.now.connected,
            state_problem=read_state(self.root).problem,
        )

    @property
    def events(self) -> EventQueue:
        """What happened, until the engine has it."""
        return self._events

    @property
    def configuration(self) -> Configuration:
        """The configuration; changes belong into `deeds`."""
        return self._configuration

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
            self.lookout.facts,
            self.lookout.ladder,
            self._configuration.show(),
            secrets=self.secrets(),
            command=self.command,
        )
        return write_support(folder, self.lookout.hostname(), self._clocks.wall(), files)

    def secrets(self) -> tuple[str, ...]:
        """List what must never leave this node in a text; the journal begins with the kernel's arguments."""
        arguments = secrets_of_arguments(read_text(self.root / "proc/cmdline"))
        return with_parts((*secret_values(self._configuration.intent), *arguments))

    def note(self, kind: str, text: str, actor: str) -> None:
        """Have an event tell of something."""
        self._events.add(kind=kind, text=text, actor=actor)

    def _note_survey(self, text: str) -> None:
        self.note("survey", text, "node.survey")

    @property
    def is_connected(self) -> bool:
        """Tell whether the engine answers heartbeats."""
        return self._board.now.connected

    def known(self) -> Known:
        """Tell what the agent knows, for the self-check to judge."""
        validity = self._identity.validity()
        return Known(
            facts=self.lookout.facts,
            libvirt_known=self.lookout.knows_libvirt,
            ladder=self.lookout.ladder,
            engine=self._configuration.intent.engine.address,
            state=self._board.now.state,
            skew=self._board.now.skew,
            certificate_ends=validity.end if validity else None,
            now=self._clocks.wall(),
            built_at=self.lookout.built_at(),
        )

    def _begin(self) -> None:
        try:
            self._configuration.start()
            keep_host_keys(self.root)
        except Exception:  # whatever stands in the way of the configuration, the engine may help
            logger.exception("the configuration could not be applied")
        if not self.lookout.wait_for_facts(FIRST_LOOK):
            logger.warning("nothing is known of this machine yet; its engine may take it for another")
        if url := self._configuration.loaded.boot.survey_url:
            # A library for what hardly a start asks for.
            from nodeagent.install.survey_post import begin_survey

            begin_survey(url, self.installation.survey_later, self._note_survey)
        # Before the document may come: one that came in between would not be taken up first.
        self._install_wait.start()
        self._source_watch.start()
        self._link.start()
        self.update.begin()

    def _look(self) -> float:
        if self.lookout.collect():
            self.asides.submit(self.mirror.look)
        before = self.lookout.ladder
        ladder = self.lookout.climb(self._configuration.intent.engine, self._board.now, self._identity.code)
        if ladder != before:
            self._listeners.ladder(LadderReply(ladder))
            if _way_is_free(ladder) and not _way_is_free(before):
                self._link.hurry()
        pending = self._configuration.pending()
        if pending is not None:
            self.deeds.submit(self._configuration.tick)
        else:
            self._follow_source()
        self._publish()
        # It waits for the service manager, and a countdown must not wait for that.
        self.asides.submit(self._ssh.look, self._configuration.intent.access.ssh, well=self._is_well())
        if pending is not None:
            return LOOK_PENDING
        return LOOK_CONNECTED if self._board.now.connected else LOOK_JOINING

    def _follow_source(self) -> None:
        """Take up what was fetched, then do what waited for it."""
        # Asked first, so that nothing begins without a document that comes in between.
        may_install = self._install_wait.is_over()
        if self._has_document.is_set():
            self._has_document.clear()
            self.deeds.submit(self._configuration.take_up)
        if may_install:
            self.deeds.submit(self._install_wait.begin)

    def _is_well(self) -> bool:
        """Tell whether nothing is wrong with this machine itself; not whether its engine is there."""
        return not self.lookout.health.problems and not read_state(self.root).problem

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
