"""The installation of this node: planned, confirmed, done once at a time, told to whoever asks."""

import logging
import shutil
import threading
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from nodeagent.events import EventQueue
from nodeagent.facts.sources import Command, read_text
from nodeagent.install.disks import collect_install_disks
from nodeagent.install.layout import read_layout
from nodeagent.install.marker import Marker
from nodeagent.install.medium import Medium, find_medium, squashfs_size
from nodeagent.install.volumes import thin_problem
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
from nodelib.install_planning import Answer, Wanted, find_data_disks, find_disk, make_plan, read_wanted
from nodelib.install_rules import ASK, describe_disk
from nodelib.link import Severity
from nodelib.run import run
from nodelib.slots import Region

if typing.TYPE_CHECKING:
    from nodeagent.install.steps import Step, Work

logger = logging.getLogger(__name__)

WEBHOOK_PATIENCE = 30.0
"""Seconds that a machine waits with its restart for the news to be taken."""
AFTER = {"reboot": ("systemctl", "reboot"), "poweroff": ("systemctl", "poweroff")}
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


class Installation:
    """One installation at a time; every method may be called from every thread."""

    def __init__(
        self,
        around: Surroundings,
        *,
        prepare_work: "Callable[[Path, InstallPlan, Medium, Marker], Work] | None" = None,
        make_courier: Callable[[str], Courier] = Courier,
    ) -> None:
        self._around = around
        self._prepare = prepare_work
        self._make_courier = make_courier
        self._lock = threading.Lock()
        self._progress = InstallProgress()
        self._thread: threading.Thread | None = None
        self._unfinished: tuple[str, ...] = ()

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

    def survey(self) -> Survey:
        """Record this machine's hardware."""
        return Survey(self._around.facts(), self.view().disks)

    def plan(self, request: InstallRequest) -> InstallPlan:
        """Say what would be done; raises VirtnodeError if no one disk is meant."""
        medium = find_medium(self._around.root)
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
    def problems(self) -> tuple[str, ...]:
        """Tell of an installation that failed, and of disks that were left unfinished before."""
        now = self.progress()
        if now.state is InstallState.FAILED:
            return (*self._unfinished, f"the installation failed: {now.error}")
        return () if now.state is InstallState.SUCCEEDED else self._unfinished

    def begin(self) -> None:
        """Look for what an earlier start left unfinished, then do what `node.install` asks, if anything."""
        try:
            self._look_for_unfinished()
            boot = self._around.intent().boot.install
            if boot and boot != ASK:
                self._begin_unattended()
        except Exception:  # whatever is wrong with a disk, the node goes on without installing
            logger.exception("the installation could not begin")

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
            medium = find_medium(self._around.root)
            problem = _medium_problem(medium)
            if problem:
                raise VirtnodeError(Code.UNAVAILABLE, problem)
            wanted = self._wanted(InstallRequest(), medium).as_unattended()
            disks = self._disks(medium)
            disk = find_disk(wanted, disks)
            if disk.installed and disk.build == wanted.build:
                self._set(step=f"{disk.name} has this system already", hint="start the machine from it")
                logger.info("%s has this system already: nothing is installed", disk.name)
                return
            plan = self._plan(wanted, disks)
            check_possible(plan)
            self._begin(plan, "node.install", then=self._around.intent().intent.install.after)
        except VirtnodeError as error:
            self._fail(error.message, error.hint)

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of what is under way."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _wanted(self, request: InstallRequest, medium: Medium) -> Wanted:
        loaded = self._around.intent()
        size = 0
        if medium.root_image is not None:
            try:
                size = squashfs_size(medium.root_image)
            except (VirtnodeError, OSError):
                logger.info("the size of this system cannot be told")
        build = self._around.facts().build_id
        answer = Answer(**vars(loaded.intent.install))
        return read_wanted(request, answer, loaded.boot.install, size, build)

    def _disks(self, medium: Medium) -> tuple[InstallDisk, ...]:
        return collect_install_disks(self._around.root, self._around.command, medium)

    def _plan(self, wanted: Wanted, disks: tuple[InstallDisk, ...]) -> InstallPlan:
        disk = find_disk(wanted, disks)
        present: tuple[Region, ...] = ()
        if wanted.keep and (disk.installed or disk.unfinished):
            present = read_layout(self._around.root / "dev" / disk.name)[0]
        plan = make_plan(wanted, disk, present, find_data_disks(wanted, disks, disk))
        lacks = thin_problem(self._around.root, self._around.command) if plan.thin else ""
        return replace(plan, problems=(*plan.problems, lacks)) if lacks else plan

    def _begin(self, plan: InstallPlan, actor: str, *, then: str | None) -> None:
        with self._lock:
            if self._progress.state is InstallState.RUNNING:
                raise VirtnodeError(Code.BUSY, f"an installation to {self._progress.disk} is under way")
            self._progress = InstallProgress(InstallState.RUNNING, plan.disk.name, 0, "reading boot files")
        self._thread = threading.Thread(
            target=self._run, args=(plan, actor, then), name="install", daemon=True
        )
        self._thread.start()

    def _run(self, plan: InstallPlan, actor: str, then: str | None) -> None:
        loaded = self._around.intent()
        courier = self._make_courier(loaded.intent.install.webhook)
        courier.post(self._news("started", plan))
        self._around.events.add(kind="install-started", text=f"installs to {plan.disk.name}", actor=actor)
        try:
            self._work(plan)
        except Exception as error:  # the outermost frame of this thread: whatever it was, it is told
            found = error if isinstance(error, VirtnodeError) else None
            if found is None:
                logger.exception("the installation failed")
            message = found.message if found else f"internal error: {error}"
            courier.post(self._news("failed", plan, message))
            self._note_failure(plan, message, actor)
            hint = "nothing was started from this disk since; find the reason, and install again"
            self._fail(message, (found.hint if found else "") or hint)
            courier.finish(WEBHOOK_PATIENCE)
            return
        courier.post(self._news("succeeded", plan))
        self._around.events.add(kind="install-succeeded", text=f"installed to {plan.disk.name}", actor=actor)
        self._set(state=InstallState.SUCCEEDED, percent=100, step="installed", hint=DONE_HINT)
        courier.finish(WEBHOOK_PATIENCE)
        if then in AFTER:
            run(AFTER[then], check=False)

    def _work(self, plan: InstallPlan) -> None:
        # An agent is there all the time, and installs once: what that alone needs is loaded then.
        from nodeagent.install.preparation import SCRATCH, prepare
        from nodeagent.install.steps import installation_steps

        facts = self._around.facts()
        marker = Marker(facts.product.partition(" (")[0] or "virtnode", facts.build_id)
        medium = find_medium(self._around.root)
        try:
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

    def _news(self, event: str, plan: InstallPlan, error: str = "") -> InstallNews:
        facts = self._around.facts()
        return InstallNews(
            event=event,
            hostname=read_text(self._around.root / "proc/sys/kernel/hostname"),
            machine=facts.hardware.uuid,
            machine_serial=facts.hardware.serial,
            product=facts.product,
            build=facts.build_id,
            disk=plan.disk.name,
            disk_model=plan.disk.model,
            disk_serial=plan.disk.serial,
            disk_size_bytes=plan.disk.size_bytes,
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
        raise VirtnodeError(
            Code.CONFLICT, "; ".join(plan.problems), "virtnodectl install plan shows the disk"
        )


def check_confirmed(plan: InstallPlan, asked: InstallRun) -> None:
    """Raise VirtnodeError unless it is this very plan, and confirmed by whoever looked at the disk."""
    if plan.id != asked.plan:
        raise VirtnodeError(
            Code.CONFLICT, "the disk, or what was asked, is no more what the plan said", "look at it again"
        )
    check_possible(plan)
    if asked.confirmation.strip().lower() != plan.disk.confirmation.lower():
        raise VirtnodeError(
            Code.INVALID,
            f"the confirmation is not the end of the serial number of {plan.disk.name}",
            "look at the disk's label, or at the plan, and type its last characters",
        )


def _medium_problem(medium: Medium) -> str:
    if medium.folder is not None or medium.url:
        return ""
    return "this system was started from a disk: start the machine from the ISO or the network to install"
