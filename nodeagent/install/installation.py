"""The installation of this node: planned, confirmed, done once at a time, told to whoever asks."""

import logging
import shutil
import threading
import typing
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodeagent.disk_claim import DiskClaim
from nodeagent.events import EventQueue
from nodeagent.facts.sources import Command, read_text
from nodeagent.install.disk_wait import ABSENT_SECONDS, Patience, wait_until_steady
from nodeagent.install.disks import collect_install_disks
from nodeagent.install.layout import read_layout
from nodeagent.install.marker import Marker
from nodeagent.install.medium import Medium, find_medium
from nodeagent.install.squashfs import squashfs_size
from nodeagent.install.volumes import mirror_problem, thin_problem
from nodeagent.install.webhook import Courier, InstallNews
from nodeagent.intent import LoadedIntent
from nodelib.bus_install import (
    InstallDisk,
    InstallPlan,
    InstallProgress,
    InstallRequest,
    InstallRun,
    InstallState,
    InstallView,
    Survey,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.install_others import has_node
from nodelib.install_planning import (
    Answer,
    Wanted,
    find_data_disks,
    find_disk,
    find_mirror,
    make_plan,
    read_wanted,
    with_arguments,
)
from nodelib.install_repair import make_repair_plan
from nodelib.install_rules import ASK, describe_disk
from nodelib.link import Severity
from nodelib.places import Place, at
from nodelib.run import run
from nodelib.slots import Region

if typing.TYPE_CHECKING:
    from nodeagent.install.steps import Step, Work

logger = logging.getLogger(__name__)

PATIENCE = Patience()
WEBHOOK_PATIENCE = 30.0
"""Seconds that a machine waits with its restart for the news to be taken."""
AFTER = {"reboot": ("systemctl", "reboot"), "poweroff": ("systemctl", "poweroff")}
REPAIRED_HINT = "the node starts from it as well; guests' volumes may still be copied, which its status tells"
MISTAKE_HINT = "nobody is asked, so nothing is guessed: correct it, or install by hand"
DONE_HINT = "restart the machine; the medium may stay in, its menu starts the disk"


@dataclass(frozen=True)
class Surroundings:
    """What an installation asks and tells."""

    root: Path
    command: Command
    facts: Callable[[], Facts]
    intent: Callable[[], LoadedIntent]
    events: EventQueue
    wall: Callable[[], float]
    claim: DiskClaim = field(default_factory=DiskClaim)


class Installation:
    """One installation at a time; every method may be called from every thread."""

    def __init__(
        self,
        around: Surroundings,
        *,
        prepare_work: "Callable[[Path, InstallPlan, Medium, Marker], Work] | None" = None,
        make_courier: Callable[[str], Courier] = Courier,
        patience: Patience = PATIENCE,
    ) -> None:
        self._around = around
        self._prepare = prepare_work
        self._make_courier = make_courier
        self._patience = patience
        self._lock = threading.Lock()
        self._starting = threading.Lock()
        self._progress = InstallProgress()
        self._thread: threading.Thread | None = None
        self._unfinished: tuple[str, ...] = ()
        self._meant: InstallDisk | None = None
        """The disk that `node.install` means, once it is known."""
        self._awaited = ""

    def view(self) -> InstallView:
        """List the disks."""
        loaded, medium = self._around.intent(), find_medium(self._around.root)
        boot = loaded.boot.install
        return InstallView(
            disks=self._disks(medium),
            asked=boot == ASK,
            rule=self._wanted(InstallRequest(), medium).rule,
            problem=_medium_problem(medium),
        )

    def survey_later(self) -> Survey:
        """Record this machine's hardware once all disks are there."""
        medium = find_medium(self._around.root)
        wait_until_steady(self._around.root, lambda: self._disks(medium), self._patience)
        return self.survey()

    def survey(self) -> Survey:
        """Record this machine's hardware."""
        medium = find_medium(self._around.root)
        disks, layouts = self._disks(medium), {}
        for disk in filter(has_node, disks):
            try:
                layouts[disk.name] = read_layout(self._around.root / "dev" / disk.name)[0]
            except VirtnodeError as error:
                logger.warning("the layout of %s is not recorded: %s", disk.name, error.message)
        return Survey(self._around.facts(), disks, layouts=layouts, image_bytes=_image_bytes(medium))

    def plan(self, request: InstallRequest) -> InstallPlan:
        """Say what would be done; raises VirtnodeError if no one disk is meant."""
        medium = find_medium(self._around.root)
        if request.repair:
            return self._plan_repair(self._wanted(request, medium), self._disks(medium))
        plan = self._plan(self._wanted(request, medium), self._disks(medium))
        problem = _medium_problem(medium)
        return replace(plan, problems=(*plan.problems, problem)) if problem else plan

    def run(self, asked: InstallRun, actor: str) -> None:
        """Begin; raises VirtnodeError (invalid, conflict, busy) where that must not be."""
        plan = self.plan(asked.request)
        check_confirmed(plan, asked)
        self._begin(plan, actor, then=None)

    def progress(self) -> InstallProgress:
        """Tell how far it is."""
        with self._lock:
            return self._progress

    @property
    def installed_to(self) -> str:
        """Name the disk that has this system since the node started; empty without one."""
        progress = self.progress()
        return progress.disk if progress.state is InstallState.SUCCEEDED else ""

    @property
    def problems(self) -> tuple[str, ...]:
        """Tell of an installation that failed or waits, and of disks that were left unfinished before."""
        now = self.progress()
        if now.state is InstallState.FAILED:
            return (*self._unfinished, f"the installation failed: {now.error}")
        if now.state is InstallState.SUCCEEDED:
            return ()
        return (*self._unfinished, *filter(None, (self._awaited,)))

    @property
    def is_unattended(self) -> bool:
        """Tell whether `node.install` asks for an installation without a question."""
        return self._around.intent().boot.install not in ("", ASK)

    def hold(self, step: str, hint: str = "") -> None:
        """Say what an installation that nobody attends waits for, as long as nothing is under way."""
        with self._lock:
            if self._progress.state is InstallState.IDLE:
                self._progress = replace(self._progress, step=step, hint=hint)

    def begin(self) -> None:
        """Look for what an earlier start left unfinished, then do what `node.install` asks, if anything.

        That waits for disks in a thread of its own.
        """
        try:
            self._look_for_unfinished()
        except Exception:  # whatever is wrong with a disk, the node goes on
            logger.exception("the disks could not be looked at")
        # A person may have been faster than the answer that this waited for.
        if self.is_unattended and self.progress().state is InstallState.IDLE:
            self.hold("")
            self._start(self._begin_unattended, "install-wait")

    def _look_for_unfinished(self) -> None:
        self._unfinished = tuple(
            f"an installation to {describe_disk(disk)} began and never ended: install again"
            for disk in self.view().disks
            if disk.unfinished
        )
        for line in self._unfinished:
            logger.warning("%s", line)

    def _begin_unattended(self) -> None:
        """Install without asking anybody; what is in the way is told, and nothing is done."""
        try:
            plan = self._plan_unattended()
            if plan is not None:
                self._begin(plan, "node.install", then=self._around.intent().intent.install.after)
        except VirtnodeError as error:
            if self.progress().state is not InstallState.IDLE:
                logger.info("node.install: a person was first: %s", error.message)
                return
            # Nobody is there to look: whoever waits for this machine is told.
            courier = self._make_courier(self._around.intent().intent.install.webhook)
            courier.post(self._news("failed", self._meant or InstallDisk(""), error.message))
            self.hold("")
            self._fail(error.message, error.hint)
        except Exception:  # whatever is wrong with a disk, the node goes on without installing
            logger.exception("the installation could not begin")
        finally:
            self._awaited = ""

    def _plan_unattended(self) -> InstallPlan | None:
        """Plan as soon as the disk is there; None where nothing is to be done, or a person began meanwhile.

        What a rule means is known when all disks are there: a slow controller's may be the smallest.
        """
        medium = find_medium(self._around.root)
        problem = _medium_problem(medium)
        if problem:
            raise VirtnodeError(Code.UNAVAILABLE, problem)
        end = self._patience.monotonic() + ABSENT_SECONDS
        self.hold("node.install: waiting until all disks are there")
        while True:
            disks = wait_until_steady(self._around.root, lambda: self._disks(medium), self._patience)
            if self.progress().state is not InstallState.IDLE:
                return None
            try:
                return self._decide(self._wanted(InstallRequest(), medium).as_unattended(), disks)
            except VirtnodeError as error:
                if error.code is not Code.NOT_FOUND or self._patience.monotonic() >= end:
                    raise
                self._await(error)

    def _await(self, error: VirtnodeError) -> None:
        """Say which disk is waited for."""
        awaited = f"node.install waits for a disk: {error.message}"
        if awaited != self._awaited:
            logger.warning("%s", awaited)
        self._awaited = awaited
        self.hold(awaited)

    def _decide(self, wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallPlan | None:
        """Plan what `node.install` asks; None if a disk has this system already."""
        self._meant = None
        self._meant = disk = find_disk(wanted, disks)
        if self._has_system(disk, wanted):
            return None
        mirror = find_mirror(wanted.for_disk(disk), disks, disk)
        # One of two that has it is enough: what is missing of the other is repaired, not installed.
        if mirror is not None and self._has_system(mirror, wanted):
            return None
        # Whatever is wrong is left out, and what is left may be another answer than the one that was meant.
        problems = self._around.intent().problems
        if problems:
            raise VirtnodeError(Code.INVALID, f"the configuration has a mistake: {problems[0]}", MISTAKE_HINT)
        plan = self._plan(wanted, disks)
        check_possible(plan)
        return plan

    def _has_system(self, disk: InstallDisk, wanted: Wanted) -> bool:
        """Tell whether a disk has this very build, installed or by an update, and say so."""
        from nodeagent.install.slot_images import has_image

        root = self._around.root
        if not disk.installed:
            return False
        if disk.build != wanted.build and not has_image(
            root / "dev" / disk.name, find_medium(root).root_image
        ):
            return False
        self.hold(f"{disk.name} has this system already", "start the machine from it")
        logger.info("%s has this system already: nothing is installed", disk.name)
        return True

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of what is under way."""
        ended: threading.Thread | None = None
        # The thread that waited for disks begins another one.
        while (thread := self._current()) is not None and thread is not ended:
            thread.join(seconds)
            ended = thread

    def _current(self) -> threading.Thread | None:
        with self._starting:
            return self._thread

    def _wanted(self, request: InstallRequest, medium: Medium) -> Wanted:
        loaded = self._around.intent()
        build = self._around.facts().build_id
        answer = Answer(**vars(loaded.intent.install))
        return read_wanted(request, answer, loaded.boot.install, _image_bytes(medium), build)

    def _disks(self, medium: Medium) -> tuple[InstallDisk, ...]:
        return collect_install_disks(self._around.root, self._around.command, medium)

    def _plan(self, wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallPlan:
        disk = find_disk(wanted, disks)
        wanted = wanted.for_disk(disk)
        present: tuple[Region, ...] = ()
        if wanted.keep and has_node(disk):
            present = read_layout(self._around.root / "dev" / disk.name)[0]
        mirror = find_mirror(wanted, disks, disk)
        plan = make_plan(wanted, disk, present, find_data_disks(wanted, disks, disk, mirror), mirror)
        if present:
            plan = with_arguments(plan, self._kept_arguments(disk, present))
        root, command = self._around.root, self._around.command
        lacks = [thin_problem(root, command)] if plan.thin else []
        lacks += [mirror_problem(root, command)] if mirror and not plan.keep else []
        return replace(plan, problems=(*plan.problems, *filter(None, lacks)))

    def _kept_arguments(self, disk: InstallDisk, present: tuple[Region, ...]) -> tuple[str, ...] | None:
        """Return what the kernel of a node that is kept will be told, without what is secret."""
        from nodeagent.install.command_line import medium_arguments, shown_arguments
        from nodeagent.install.kept_boot import read_kept_boot

        root = self._around.root
        kept = read_kept_boot(root / "dev" / disk.name, present)
        if kept is None:
            return None
        from_network = bool(find_medium(root).url)
        medium = medium_arguments(read_text(root / "proc/cmdline"), from_network=from_network)
        return shown_arguments(kept.arguments, medium)

    def _plan_repair(self, wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallPlan:
        from nodeagent.update.repair import find_running

        node = find_running(self._around.root)
        return make_repair_plan(wanted, find_disk(wanted, disks), node)

    def _begin(self, plan: InstallPlan, actor: str, *, then: str | None) -> None:
        with self._lock:
            if self._progress.state is InstallState.RUNNING:
                raise VirtnodeError(Code.BUSY, f"an installation to {self._progress.disk} is under way")
            self._around.claim.check()
            self._progress = InstallProgress(InstallState.RUNNING, plan.disk.name, 0, "reading boot files")
        self._start(lambda: self._run(plan, actor, then), "install")

    def _start(self, deed: Callable[[], None], name: str) -> None:
        # Nobody can wait for one that was not started, and one may start the next at once.
        with self._starting:
            self._thread = threading.Thread(target=deed, name=name, daemon=True)
            self._thread.start()

    def _run(self, plan: InstallPlan, actor: str, then: str | None) -> None:
        loaded = self._around.intent()
        # Who waits for installations does not wait for this.
        courier = self._make_courier("" if plan.repair else loaded.intent.install.webhook)
        courier.post(self._news("started", plan.disk))
        text = f"{'mirrors this node on' if plan.repair else 'installs to'} {plan.disk.name}"
        self._around.events.add(kind="install-started", text=text, actor=actor)
        try:
            with self._around.claim.held(f"an installation to {plan.disk.name}"):
                self._work(plan)
        except Exception as error:  # the outermost frame of this thread: whatever it was, it is told
            found = error if isinstance(error, VirtnodeError) else None
            if found is None:
                logger.exception("the installation failed")
            message = found.message if found else f"internal error: {error}"
            courier.post(self._news("failed", plan.disk, message))
            self._note_failure(plan, message, actor)
            hint = "nothing was started from this disk since; find the reason, and install again"
            self._fail(message, (found.hint if found else "") or hint)
            courier.finish(WEBHOOK_PATIENCE)
            return
        courier.post(self._news("succeeded", plan.disk))
        text = f"{'mirrored on' if plan.repair else 'installed to'} {plan.disk.name}"
        self._around.events.add(kind="install-succeeded", text=text, actor=actor)
        hint = REPAIRED_HINT if plan.repair else DONE_HINT
        self._set(state=InstallState.SUCCEEDED, percent=100, step="installed", hint=hint)
        courier.finish(WEBHOOK_PATIENCE)
        if then in AFTER:
            run(AFTER[then], check=False)

    def _work(self, plan: InstallPlan) -> None:
        # An agent is there all the time, and installs once: what that alone needs is loaded then.
        from nodeagent.install.preparation import SCRATCH, prepare
        from nodeagent.install.steps import installation_steps
        from nodeagent.update.repair import prepare_repair, repair_steps

        facts = self._around.facts()
        marker = Marker(facts.product.partition(" (")[0] or "virtnode", facts.build_id)
        medium = find_medium(self._around.root)
        try:
            if plan.repair:
                repair = prepare_repair(self._around.root, plan)
                run_steps(repair_steps(repair), repair.work, self._note_step)
                return
            work = (self._prepare or prepare)(self._around.root, plan, medium, marker)
            run_steps(installation_steps(work), work, self._note_step)
        finally:
            # The state that was gathered has the node's key in it.
            shutil.rmtree(self._around.root / SCRATCH, ignore_errors=True)

    def _note_step(self, step: "Step", percent: int) -> None:
        if self.progress().step != step.text:
            logger.info("%s", step.text)
        self._set(step=step.text, percent=percent)

    def _note_failure(self, plan: InstallPlan, message: str, actor: str) -> None:
        text = f"the installation to {plan.disk.name} failed: {message}"
        self._around.events.add(kind="install-failed", text=text, actor=actor, severity=Severity.ERROR)

    def _news(self, event: str, disk: InstallDisk, error: str = "") -> InstallNews:
        facts = self._around.facts()
        return InstallNews(
            event=event,
            hostname=read_text(self._around.root / "proc/sys/kernel/hostname"),
            machine=facts.hardware.uuid,
            machine_serial=facts.hardware.serial,
            product=facts.product,
            build=facts.build_id,
            disk=disk.name,
            disk_model=disk.model,
            disk_serial=disk.serial,
            disk_size_bytes=disk.size_bytes,
            time=self._around.wall(),
            error=error,
        )

    def _fail(self, message: str, hint: str) -> None:
        logger.error("the installation failed: %s", message)
        self._set(state=InstallState.FAILED, error=message, hint=hint)

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._progress = replace(self._progress, **changes)  # type: ignore[arg-type]


def run_steps(steps: "tuple[Step, ...]", work: "Work", note: "Callable[[Step, int], None]") -> None:
    """Do all steps; `note` hears of each, and how many percent are done."""
    total = sum(step.weight for step in steps) or 1
    before = 0
    for step in steps:
        done = 0

        def on_bytes(count: int, step: "Step" = step, before: int = before) -> None:
            nonlocal done
            done += count
            note(step, min(99, (before + min(done, step.weight)) * 100 // total))

        on_bytes(0)
        step.do(work, on_bytes)
        before += step.weight


def check_possible(plan: InstallPlan) -> None:
    """Raise VirtnodeError (conflict) with all that stands against a plan."""
    if plan.problems:
        raise VirtnodeError(Code.CONFLICT, "; ".join(plan.problems), at(Place.DISKS))


def check_confirmed(plan: InstallPlan, asked: InstallRun) -> None:
    """Raise VirtnodeError unless it is this very plan, and confirmed by whoever looked at the disk."""
    if plan.id != asked.plan:
        raise VirtnodeError(
            Code.CONFLICT, "the disk, or what was asked, is no more what the plan said", "look at it again"
        )
    check_possible(plan)
    if asked.confirmation.lower().split() != plan.confirmation.lower().split():
        second = f", then that of {plan.mirror.name}" if plan.mirror else ""
        raise VirtnodeError(
            Code.INVALID,
            f"the confirmation is not the end of the serial number of {plan.disk.name}{second}",
            "look at the disk's label, or at the plan, and type its last characters",
        )


def _image_bytes(medium: Medium) -> int:
    """Return the size of this system; 0 where it cannot be told."""
    try:
        return squashfs_size(medium.root_image) if medium.root_image is not None else 0
    except (VirtnodeError, OSError):
        logger.info("the size of this system cannot be told")
        return 0


def _medium_problem(medium: Medium) -> str:
    if medium.folder is not None or medium.url:
        return ""
    return "this system was started from a disk: start the machine from the ISO or the network to install"
