"""Turns intent into fact: plans changes, applies them, and puts back what nobody confirms."""

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from nodeagent.candidate import Candidate, make_candidate
from nodeagent.changes import Applied, Change, Pending
from nodeagent.decided import Deciding, decide, read_decided, show_decided, write_decided
from nodeagent.intent import Intent, LoadedIntent
from nodeagent.intent_changes import state_changes
from nodeagent.intent_sources import load_intent, load_state
from nodeagent.intent_state import write_state
from nodeagent.intent_versions import migrate_patch
from nodeagent.network.lease import ask_networkd, persist_dhcp
from nodeagent.rollback import Phase, Rollback, RollbackStore, restore_files
from nodeagent.services import Services
from nodeagent.settings.setting import plan_setting
from nodeagent.settings.table import SETTINGS, act_on, plan_changes, told
from nodeagent.tree_files import TreeFiles
from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at

logger = logging.getLogger(__name__)

DEFAULT_WINDOW = 60.0
SHORTEST_WINDOW, LONGEST_WINDOW = 5.0, 3600.0
BOOT_ID = "proc/sys/kernel/random/boot_id"


def boot_clock() -> float:
    """Seconds since the machine started; nobody can set this clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def new_ticket() -> str:
    """Make up a ticket that nobody can guess."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class Reverted:
    """A change that was put back, and why."""

    reason: str
    changes: tuple[str, ...]
    """Each change's text."""
    actor: str = ""
    """Who had asked for it."""
    before: Mapping[str, object] = field(default_factory=dict)
    """What of the state differs, by dotted key, without secrets: as it was to be."""
    after: Mapping[str, object] = field(default_factory=dict)


class Applier:
    """Applies the intent of one root; any thread may call, one change is under way at a time."""

    def __init__(
        self,
        root: Path,
        cmdline: str,
        services: Services,
        *,
        clock: Callable[[], float] = boot_clock,
        make_ticket: Callable[[], str] = new_ticket,
    ) -> None:
        self._root = root
        self._cmdline = cmdline
        self._services = services
        self._clock = clock
        self._make_ticket = make_ticket
        self._tree = TreeFiles(root)
        self._store = RollbackStore(self._tree)
        self._boot_id = self._tree.text(BOOT_ID).strip()
        self._lock = threading.RLock()
        self._rollback = self._store.read()

    @property
    def services(self) -> Services:
        """The system's services."""
        return self._services

    def load(self) -> LoadedIntent:
        """Read the intent that is in force; what waits for a confirmation is not in it."""
        loaded = load_intent(self._root, self._cmdline)
        return replace(loaded, origins=show_decided(loaded, read_decided(self._tree)))

    def plan(self, intent: Intent) -> tuple[Change, ...]:
        """Say what would be changed for an intent; nothing is."""
        return told(plan_changes(intent, self._tree))

    def preview(self, patch: Mapping[str, object]) -> tuple[Change, ...]:
        """Say what a patch would change; nothing is. Raises InvalidInput as `apply` does."""
        patch = migrate_patch(patch)
        candidate = make_candidate(self._root, self._cmdline, patch)
        self._decide(Deciding.PEOPLE, patch, candidate)
        return (*candidate.quiet, *told(candidate.changes))

    def persist_dhcp(self, name: str, ask: Callable[[str], str] = ask_networkd) -> dict[str, object]:
        """Make the patch that keeps what a link has by DHCP; raises VirtnodeError as `lease.persist_dhcp`."""
        return persist_dhcp(name, self.load().intent.network, ask, self._root)

    def apply(
        self,
        patch: Mapping[str, object],
        window: float,
        actor: str,
        who: Deciding = Deciding.PEOPLE,
    ) -> Applied:
        """Apply a patch of the state, to be confirmed within `window` seconds, else it is put back.

        Where nothing on the node changes, the patch is kept at once and there is no ticket. Raises
        VirtnodeError: invalid for a wrong patch, unavailable for what this image cannot do, conflict for
        what the engine decided, busy while another change waits, failed when a service refuses, and then
        everything is as it was.
        """
        with self._lock:
            self._check_free()
            if not (math.isfinite(window) and SHORTEST_WINDOW <= window <= LONGEST_WINDOW):
                raise VirtnodeError(
                    Code.INVALID,
                    f"a window of {window:g} s cannot be",
                    f"choose from {SHORTEST_WINDOW:.0f} to {LONGEST_WINDOW:.0f} seconds",
                )
            patch = migrate_patch(patch)
            candidate = make_candidate(self._root, self._cmdline, patch)
            decided = self._decide(who, patch, candidate)
            before, after = state_changes(load_state(self._root), candidate.state)
            if not candidate.changes:
                write_decided(self._tree, decided)
                write_state(self._tree, candidate.state)
                return Applied(changes=candidate.quiet, before=before, after=after)
            rollback = self._begin(candidate, decided, window, actor)
            self._carry_out(rollback)
            now = self._clock()
            self._keep(replace(rollback, phase=Phase.APPLIED, started=now, deadline=now + window))
            logger.info("applied for %s, to be confirmed within %g s", actor, window)
            changes = (*candidate.quiet, *told(candidate.changes))
            return Applied(changes=changes, ticket=rollback.ticket, before=before, after=after)

    def confirm(self, ticket: str) -> Applied:
        """Keep a change, and say what of the state differs.

        Raises VirtnodeError: not-found without one, conflict for another one's ticket.
        """
        with self._lock:
            rollback = self._expect(ticket)
            if not self._is_current(rollback):
                self._put_back(rollback, "it was confirmed too late")
                raise VirtnodeError(
                    Code.CONFLICT, "the change was put back before it was confirmed", "apply it again"
                )
            before, after = state_changes(load_state(self._root), rollback.document)
            self._keep(replace(rollback, phase=Phase.CONFIRMED))
            self._finish(rollback)
            return Applied(changes=told(rollback.changes), before=before, after=after)

    def revert(self, ticket: str | None = None) -> Reverted:
        """Put the change under way back at once; raises VirtnodeError as `confirm` does."""
        with self._lock:
            rollback = self._expect(ticket)
            return self._put_back(rollback, "it was taken back")

    def recover(self) -> Reverted | None:
        """Bring what an earlier agent left to an end: call this first.

        A change that may still be confirmed goes on waiting. What was not applied whole, waited too long, or
        was left over by another boot is put back, and what was confirmed is kept.
        """
        with self._lock:
            return self._resolve()

    def pending(self) -> Pending | None:
        """Return the change that waits for its confirmation; never waits for a change under way."""
        rollback = self._rollback
        if rollback is None or rollback.phase is not Phase.APPLIED:
            return None
        return Pending(
            ticket=rollback.ticket,
            actor=rollback.actor,
            deadline=rollback.deadline,
            seconds_left=max(0.0, rollback.deadline - self._clock()),
            changes=tuple(change.text for change in told(rollback.changes)),
        )

    def tick(self, now: float | None = None) -> Reverted | None:
        """Put back what was not confirmed in time; `now` is by `boot_clock`.

        That takes as long as services do. Returns at once where there is nothing to put back, or while a
        change is being applied. What could not be put back whole is not tried again here, but by `revert`.
        """
        rollback = self._rollback
        if rollback is None or rollback.phase is Phase.REVERTING or not self._lock.acquire(blocking=False):
            return None
        try:
            return self._resolve(now)
        finally:
            self._lock.release()

    def settle(self) -> tuple[str, ...]:
        """Make the node be as the intent in force says, as at each boot; nothing to confirm.

        What cannot be done does not hinder the rest. Returns everything that is wrong, one line each. While
        a change waits for its confirmation this does nothing.
        """
        with self._lock:
            if self._rollback is not None:
                return ()
            loaded = self.load()
            problems = list(loaded.problems)
            for setting in SETTINGS:
                problems += setting.missing(loaded.intent, self._tree)
                try:
                    changes = tuple(plan_setting(setting, loaded.intent, self._tree))
                    for change in changes:
                        self._tree.put(change.path, change.new)
                    act_on(self._services, self._tree, changes)
                except (VirtnodeError, OSError) as error:
                    problems.append(f"{setting.kind}: {error}")
            return tuple(problems)

    def _resolve(self, now: float | None = None) -> Reverted | None:
        """Finish what was confirmed, put back what can be confirmed no more, and leave what waits."""
        rollback = self._rollback
        if rollback is None:
            return None
        if rollback.phase is Phase.CONFIRMED:
            self._finish(rollback)
            return None
        if rollback.boot_id != self._boot_id:
            return self._put_back(rollback, "the machine was started anew before it was confirmed")
        if rollback.phase is not Phase.APPLIED:
            return self._put_back(rollback, "the agent ended in the midst of it")
        return (
            None
            if self._is_current(rollback, now)
            else self._put_back(rollback, "nobody confirmed it in time")
        )

    def _check_free(self) -> None:
        if self._rollback is None:
            return
        if self._rollback.phase is Phase.REVERTING:
            raise VirtnodeError(
                Code.BUSY,
                f"a change by {self._rollback.actor} could not be put back whole",
                at(Place.REVERT),
            )
        left = max(0.0, self._rollback.deadline - self._clock())
        raise VirtnodeError(
            Code.BUSY,
            f"a change by {self._rollback.actor} waits for its confirmation, {left:.0f} s more",
            f"confirm it, revert it, or wait: {at(Place.CONFIRM)}",
        )

    def _expect(self, ticket: str | None) -> Rollback:
        if self._rollback is None:
            raise VirtnodeError(
                Code.NOT_FOUND, "no change waits for a confirmation", "it was confirmed or put back already"
            )
        if ticket is not None and not secrets.compare_digest(ticket.encode(), self._rollback.ticket.encode()):
            raise VirtnodeError(
                Code.CONFLICT, "another change than this one is under way", "look at the status"
            )
        return self._rollback

    def _is_current(self, rollback: Rollback, now: float | None = None) -> bool:
        """Tell whether a change may still be confirmed; a clock before the start is not to be trusted."""
        moment = self._clock() if now is None else now
        return rollback.phase is Phase.APPLIED and rollback.started <= moment < rollback.deadline

    def _decide(self, who: Deciding, patch: Mapping[str, object], candidate: Candidate) -> tuple[str, ...]:
        before, decided = load_state(self._root), read_decided(self._tree)
        return decide(who, decided, patch, before=before, after=candidate.state)

    def _begin(self, candidate: Candidate, decided: tuple[str, ...], window: float, actor: str) -> Rollback:
        folders = {
            folder for change in candidate.changes for folder in self._tree.missing_folders(change.path)
        }
        now = self._clock()
        rollback = Rollback(
            ticket=self._make_ticket(),
            actor=actor,
            phase=Phase.APPLYING,
            boot_id=self._boot_id,
            window=window,
            started=now,
            deadline=now + window,
            changes=tuple(replace(change, before="", after="") for change in candidate.changes),
            folders=tuple(sorted(folders, key=len, reverse=True)),
            document=candidate.state,
            decided=decided,
        )
        self._keep(rollback)
        return rollback

    def _carry_out(self, rollback: Rollback) -> None:
        try:
            for change in rollback.changes:
                self._tree.put(change.path, change.new)
            act_on(self._services, self._tree, rollback.changes)
        except (VirtnodeError, OSError) as error:
            self._put_back(rollback, "it could not be applied")
            hint = error.hint if isinstance(error, VirtnodeError) else ""
            raise VirtnodeError(Code.FAILED, f"{error}; everything was put back", hint) from error

    def _put_back(self, rollback: Rollback, reason: str) -> Reverted:
        logger.warning("a change by %s is put back: %s", rollback.actor, reason)
        self._mark_reverting(rollback)
        undone, failures = restore_files(self._tree, rollback, self._boot_id)
        for folder in rollback.folders:
            self._tree.remove_folder(folder)
        for setting in SETTINGS:
            mine = [change for change in undone if change.kind == setting.kind]
            try:
                if mine:
                    setting.act(self._services, self._tree, mine)
            except VirtnodeError as error:
                logger.error("%s: the files are put back, but: %s", setting.kind, error.message)
        if failures:
            raise VirtnodeError(
                Code.FAILED,
                f"not everything could be put back: {'; '.join(failures)}",
                f"{at(Place.REVERT)}, and so does the next start",
            )
        self._store.clear()
        self._rollback = None
        before, after = state_changes(rollback.document, load_state(self._root))
        texts = tuple(change.text for change in told(rollback.changes))
        return Reverted(reason, texts, rollback.actor, before, after)

    def _mark_reverting(self, rollback: Rollback) -> None:
        """Say that this change can be confirmed no more; a disk that is full must not keep it in force."""
        self._rollback = replace(rollback, phase=Phase.REVERTING)
        try:
            self._store.write(self._rollback)
        except VirtnodeError as error:
            logger.error("%s", error.message)

    def _keep(self, rollback: Rollback) -> None:
        self._store.write(rollback)
        self._rollback = rollback

    def _finish(self, rollback: Rollback) -> None:
        write_decided(self._tree, rollback.decided)
        write_state(self._tree, rollback.document)
        self._store.clear()
        self._rollback = None
        logger.info("the change by %s is confirmed", rollback.actor)
