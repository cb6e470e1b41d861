"""The update of this node: planned, checked, written, tried, kept or taken back, told to whoever asks."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from nodeagent.disk_claim import DiskClaim
from nodeagent.events import EventQueue
from nodeagent.facts.sources import Command
from nodeagent.facts.virtualisation import running_guests
from nodeagent.guest_stop import clear_guests
from nodeagent.intent import VERSION
from nodeagent.update.engine_image import EngineImages
from nodeagent.update.environment import Environment, give_up, keep_slot, load_environment
from nodeagent.update.health import Signs, is_kept, make_footing
from nodeagent.update.image import read_running
from nodeagent.update.mirror import change_menu, settle_twin
from nodeagent.update.record import SlotImage, UpdateRecord, load_record, store_record
from nodeagent.update.slot_disk import SlotDisk, find_slot_disk, read_config, slot_on_trial
from nodeagent.update.trial_watch import LOOK, TrialWatch
from nodeagent.update.verdict import Start, judge_start
from nodelib.bus import Notice
from nodelib.bus_update import RollBack, UpdatePlan, UpdateRun, UpdateSource, UpdateState, UpdateView
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Severity
from nodelib.link_update import LARGEST_IMAGE, UpdateOrder
from nodelib.places import Place, at
from nodelib.run import run

logger = logging.getLogger(__name__)

TELL_SECONDS = 5.0
"""How long the engine may take to hear of a restart."""
RESTART = ("systemctl", "reboot")
POWER_TIMEOUT = 30.0
Fetch = Callable[[contextlib.ExitStack, Callable[[int], None]], IO[bytes]]
"""Gets a bundle: a file that is closed with the stack."""


@dataclass(frozen=True)
class Surroundings:
    """What an update asks and tells."""

    root: Path
    command: Command
    signs: Callable[[], Signs]
    """How the node fares now."""
    events: EventQueue
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    images: EngineImages
    deed: Callable[[Sequence[str]], object] = lambda argv: run(argv, timeout=POWER_TIMEOUT)
    look: float = LOOK
    """Seconds between two looks at an image on trial."""
    claim: DiskClaim = field(default_factory=DiskClaim)


@dataclass(frozen=True)
class Order:
    """What was asked for."""

    actor: str
    restart: bool
    stop_guests: bool
    size: int
    """About how many bytes are dealt with, for the percentage."""


class Update:
    """One update at a time; every method may be called from every thread."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._lock = threading.RLock()
        self._record = load_record(around.root)
        self._step, self._done, self._total = "", 0, 1
        self._thread: threading.Thread | None = None
        self._watch: TrialWatch | None = None

    def begin(self) -> None:
        """See what this start says of the newest update, and watch over an image on trial."""
        root = self._around.root
        try:
            disk = find_slot_disk(root)
            with disk.boot_partition() as esp:
                start = Start(disk.booted, slot_on_trial(root), load_environment(esp))
        except VirtnodeError as error:
            logger.info("no update is possible: %s", error.message)
            return
        settle_twin(disk)
        judged = judge_start(self._record, start, self._around.wall())
        if judged != self._record:
            self._note_start(judged)
        if start.trial == disk.booted:
            self._watch = TrialWatch(
                self._around.root, disk, self._around.signs, self._around.monotonic, self._around.look
            )
            self._watch.watch(self._record.before, self._note_waiting, self._note_kept)

    def stop(self) -> None:
        """End the watch over a trial."""
        if self._watch is not None:
            self._watch.stop()

    def view(self) -> UpdateView:
        """Tell how the newest update stands."""
        with self._lock:
            record, step, percent = self._record, self._step, min(99, self._done * 100 // self._total)
        is_running = record.state in (UpdateState.FETCHING, UpdateState.WRITING)
        environment, can_roll_back = Environment(), False
        with contextlib.suppress(VirtnodeError):
            disk = find_slot_disk(self._around.root)
            with disk.boot_partition() as esp:
                environment = load_environment(esp)
                can_roll_back = _can_roll_back(disk, environment, read_config(esp, disk.idle) is not None)
        return UpdateView(
            state=record.state,
            percent=percent if is_running else 100 if record.state in DONE else 0,
            step=step if is_running else "",
            version=record.image.version,
            build_id=record.image.build_id,
            slot=record.slot,
            tries_left=environment.tries if environment.trial else 0,
            waits_for=record.waits_for,
            error=record.error,
            hint=record.hint,
            time=record.time,
            can_roll_back=can_roll_back and not is_running,
        )

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Say what somebody should look after: an image that did not pass, or that is on trial."""
        record = self._record
        what = f"the update to {record.image.version or 'another image'}"
        if record.state is UpdateState.TRIAL:
            missing = "; ".join(record.waits_for)
            hint = f"it waits for this: {missing}" if missing else "it is kept if nothing fails"
            return (Notice(f"{what} is on trial", hint),)
        if record.state is UpdateState.ROLLED_BACK and not record.actor:
            missed = f": {'; '.join(record.waits_for)}" if record.waits_for else ""
            return (Notice(f"{what} was taken back: {record.error}{missed}", at(Place.UPDATE)),)
        return ()

    def plan(self, source: UpdateSource) -> UpdatePlan:
        """Say what an update would do; raises VirtnodeError for what is no bundle, or nobody vouches for."""
        # What an update alone needs is not loaded before: a node has many other things to do.
        from nodeagent.update.bundle import read_front
        from nodeagent.update.fetch import is_url, opened_file, opened_url, room_problem
        from nodeagent.update.plan import make_plan

        root = self._around.root
        disk = find_slot_disk(root)
        guests = running_guests(root)
        if not is_url(source.where):
            with opened_file(source.where) as file:
                return make_plan(root, disk, read_front(file, root), guests)
        with opened_url(source.where) as (stream, size):
            plan = make_plan(root, disk, read_front(stream, root), guests)
        problem = room_problem(root, size)
        return replace(plan, problems=(*plan.problems, problem)) if problem else plan

    def run(self, asked: UpdateRun, actor: str) -> None:
        """Begin; raises VirtnodeError (invalid, denied, conflict, busy) where that must not be."""
        from nodeagent.update.fetch import fetch_url, is_url, opened_file

        plan = self.plan(UpdateSource(asked.where))
        _check_possible(plan)

        def fetch(stack: contextlib.ExitStack, on_bytes: Callable[[int], None]) -> IO[bytes]:
            if is_url(asked.where):
                return fetch_url(self._around.root, asked.where, stack, on_bytes)
            return stack.enter_context(opened_file(asked.where))

        parts = (4 if is_url(asked.where) else 3) + self._more_parts()
        order = Order(actor, asked.restart, asked.stop_guests, parts * plan.size_bytes)
        self._begin(order, SlotImage(plan.version, plan.build_id), plan.slot, fetch)

    def order(self, asked: UpdateOrder, actor: str) -> None:
        """Begin with a bundle of the engine's; raises VirtnodeError where that must not be."""
        from nodeagent.update.fetch import make_staging

        disk = find_slot_disk(self._around.root)
        if not 0 < asked.size_bytes <= LARGEST_IMAGE:
            raise VirtnodeError(Code.INVALID, f"a bundle cannot have {asked.size_bytes} bytes")

        def fetch(stack: contextlib.ExitStack, on_bytes: Callable[[int], None]) -> IO[bytes]:
            target = stack.enter_context(make_staging(self._around.root, asked.size_bytes))
            self._around.images.fetch(asked, target, on_bytes)
            target.seek(0)
            return target

        parts = 4 + self._more_parts()
        order = Order(actor, True, asked.stop_guests, parts * asked.size_bytes)
        self._begin(order, SlotImage(asked.version, asked.build_id), disk.idle, fetch)

    def roll_back(self, asked: RollBack, actor: str) -> None:
        """Start the other slot from now on, and restart; an image that only waits for its trial is forgotten.

        Raises VirtnodeError (conflict) where the other slot never passed, or where virtual machines run.
        """
        with self._lock:
            self._check_idle()
        disk = find_slot_disk(self._around.root)
        with disk.boot_partition() as esp:
            environment = load_environment(esp)
            has_image = read_config(esp, disk.idle) is not None
        if environment.trial == disk.idle:
            change_menu(disk, disk.idle, lambda now: give_up(now, disk.idle))
            self._note_taken_back(actor)
            return
        if environment.trial != disk.booted and not _can_roll_back(disk, environment, has_image):
            raise VirtnodeError(
                Code.CONFLICT,
                f"slot {disk.idle} holds no image that ever passed",
                "update with the bundle of the version that you want back",
            )
        clear_guests(self._around.root, self._around.command, stop=asked.stop_guests)
        if environment.trial == disk.booted:
            change_menu(disk, disk.booted, lambda now: give_up(now, disk.booted))
        else:
            self._leave_state(disk.idle, self._record)
            change_menu(disk, disk.idle, lambda now: keep_slot(now, disk.idle))
            self._set_record(_turned(self._record, disk.booted, self._own_image()))
        self._note_taken_back(actor)
        self._restart()

    def _more_parts(self) -> int:
        """Return how often more a bundle's bytes are dealt with: a second disk has them written and read."""
        return 2 * (len(find_slot_disk(self._around.root).copies) - 1)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of what is under way."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _begin(self, order: Order, image: SlotImage, slot: str, fetch: Fetch) -> None:
        guests = running_guests(self._around.root)
        if guests and order.restart and not order.stop_guests:
            raise VirtnodeError(
                Code.CONFLICT,
                f"virtual machines run: {', '.join(guests)}",
                "move them or shut them down, or say that they may be stopped",
            )
        if slot_on_trial(self._around.root) and not is_kept(self._around.root):
            raise VirtnodeError(
                Code.CONFLICT, "the image that runs is on trial itself", "wait until it is kept"
            )
        before = make_footing(self._around.signs())
        with self._lock:
            self._check_idle()
            self._step, self._done, self._total = "fetching the bundle", 0, max(1, order.size)
            self._set_record(
                UpdateRecord(
                    UpdateState.FETCHING,
                    slot,
                    image,
                    self._own_image(),
                    time=self._around.wall(),
                    before=before,
                )
            )
            self._thread = threading.Thread(
                target=self._run, args=(order, slot, fetch), name="update", daemon=True
            )
            self._thread.start()

    def _check_idle(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            raise VirtnodeError(Code.BUSY, "an update is under way", at(Place.UPDATE))
        self._around.claim.check()

    def _run(self, order: Order, slot: str, fetch: Fetch) -> None:
        self._around.events.add(
            kind="update-started",
            text=f"updates slot {slot} to {self._record.image.version}",
            actor=order.actor,
        )
        try:
            with self._around.claim.held("an update"), contextlib.ExitStack() as stack:
                self._write(fetch(stack, self._count))
        except Exception as error:  # the outermost frame of this thread: whatever it was, it is told
            found = error if isinstance(error, VirtnodeError) else None
            if found is None:
                logger.exception("the update failed")
            self._fail(
                found.message if found else f"internal error: {error}", found.hint if found else "", order
            )
            return
        self._change(state=UpdateState.READY)
        text = f"slot {slot} has {self._record.image.version}; the next start tries it"
        self._around.events.add(kind="update-ready", text=text, actor=order.actor)
        if order.restart:
            self._restart_into(order)

    def _write(self, source: IO[bytes]) -> None:
        from nodeagent.update.bundle import verify_bundle
        from nodeagent.update.plan import make_plan, title_of
        from nodeagent.update.steps import UpdateStep, UpdateWork, run_steps, slot_arguments

        root = self._around.root
        self._set_step("checking the bundle")
        bundle = verify_bundle(source, root, self._count)
        disk = find_slot_disk(root)
        _check_possible(make_plan(root, disk, bundle))
        manifest = bundle.manifest
        image = SlotImage(manifest.version, manifest.build_id, manifest.intent_version)
        self._change(state=UpdateState.WRITING, image=image)
        with disk.boot_partition() as esp:
            own = read_config(esp, disk.booted)
        assert own is not None, "the plan looked for it"
        arguments = slot_arguments(own.arguments, disk, manifest.arguments)
        work = UpdateWork(disk, source, bundle, title_of(manifest), arguments)
        self._leave_state(disk.idle, self._record)

        def note(step: UpdateStep, count: int) -> None:
            self._set_step(step.text)
            self._count(count)

        run_steps(work, note)

    def _restart_into(self, order: Order) -> None:
        try:
            clear_guests(self._around.root, self._around.command, stop=order.stop_guests)
            self._restart()
        except VirtnodeError as error:
            self._change(error=error.message, hint=f"restart the node when it suits: {at(Place.RESTART)}")

    def _restart(self) -> None:
        # Without an engine nobody acknowledges.
        if self._around.signs().is_connected:
            self._around.events.wait_until_reported(TELL_SECONDS)
        self._around.deed(RESTART)

    def _leave_state(self, slot: str, record: UpdateRecord) -> None:
        """Leave the configuration as the agent of a slot reads it, where that is an older one."""
        from nodeagent.intent_sources import load_state
        from nodeagent.intent_state import write_toml
        from nodeagent.intent_versions import migrate
        from nodeagent.update.slot_state import put_copy

        known = record.image if record.slot == slot else record.previous
        if 0 < known.intent_version < VERSION:
            document = migrate({**load_state(self._around.root), "version": VERSION}, known.intent_version)
            put_copy(self._around.root, slot, write_toml(document))

    def _own_image(self) -> SlotImage:
        running = read_running(self._around.root)
        return SlotImage(running.version, running.build_id, VERSION)

    def _note_start(self, judged: UpdateRecord) -> None:
        """Keep and tell what a start has shown."""
        self._set_record(judged)
        version = judged.image.version or "another image"
        if judged.state is UpdateState.ROLLED_BACK:
            missed = "; ".join(judged.waits_for)
            text = f"the update to {version} was taken back: {judged.error}{f': {missed}' if missed else ''}"
            self._tell("update-rolled-back", text, Severity.ERROR)
        elif judged.state is UpdateState.TRIAL:
            self._tell("update-trial", f"{version} is on trial in slot {judged.slot}")
        elif judged.state is UpdateState.KEPT:
            self._tell("update-kept", f"{version} passed: slot {judged.slot} is started from now on")
        elif judged.state is UpdateState.FAILED:
            self._tell("update-failed", f"the update to {version} failed: {judged.error}", Severity.ERROR)

    def _note_waiting(self, missing: tuple[str, ...]) -> None:
        self._change(waits_for=missing)

    def _note_kept(self) -> None:
        if self._record.state is UpdateState.TRIAL:
            judged = replace(
                self._record, state=UpdateState.KEPT, waits_for=(), error="", time=self._around.wall()
            )
            self._note_start(judged)

    def _note_taken_back(self, actor: str) -> None:
        self._change(state=UpdateState.ROLLED_BACK, error=f"taken back by {actor}", hint="", actor=actor)
        text = f"{actor} took {self._record.image.version or 'the image'} back"
        self._around.events.add(kind="update-rolled-back", text=text, actor=actor, severity=Severity.WARNING)

    def _fail(self, message: str, hint: str, order: Order) -> None:
        logger.error("the update failed: %s", message)
        touched = self._record.state is UpdateState.WRITING
        more = f"slot {self._record.slot} is empty now; the image that runs was not touched"
        self._change(state=UpdateState.FAILED, error=message, hint=hint or (more if touched else ""))
        self._around.events.add(
            kind="update-failed",
            text=f"the update to {self._record.image.version} failed: {message}",
            actor=order.actor,
            severity=Severity.ERROR,
        )

    def _tell(self, kind: str, text: str, severity: Severity = Severity.INFO) -> None:
        self._around.events.add(kind=kind, text=text, actor="node", severity=severity)

    def _count(self, count: int) -> None:
        with self._lock:
            self._done += count

    def _set_step(self, text: str) -> None:
        with self._lock:
            is_new, self._step = text != self._step, text
        if is_new:
            logger.info("%s", text)

    def _change(self, **changes: object) -> None:
        self._set_record(replace(self._record, time=self._around.wall(), **changes))  # type: ignore[arg-type]

    def _set_record(self, record: UpdateRecord) -> None:
        with self._lock:
            self._record = record
            store_record(self._around.root, record)


DONE = (UpdateState.READY, UpdateState.TRIAL, UpdateState.KEPT)


def _can_roll_back(disk: SlotDisk, environment: Environment, has_image: bool) -> bool:
    return has_image and disk.idle not in (environment.failed, environment.trial)


def _turned(record: UpdateRecord, slot: str, image: SlotImage) -> UpdateRecord:
    """Return the record of what is left behind in `slot`; the other one's image is the earlier again."""
    other = record.previous if record.slot == slot else record.image
    return UpdateRecord(record.state, slot, image, other)


def _check_possible(plan: UpdatePlan) -> None:
    if plan.problems:
        raise VirtnodeError(Code.CONFLICT, "; ".join(plan.problems), at(Place.UPDATE_PLAN))
