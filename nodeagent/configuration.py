"""The configuration as bus and link see it: shown without secrets, planned, applied, confirmed, put back."""

import logging
from collections.abc import Callable, Mapping

from nodeagent.applier import Applier, Reverted
from nodeagent.changes import Applied
from nodeagent.decided import Deciding
from nodeagent.events import EventQueue
from nodeagent.intent import Intent, LoadedIntent
from nodeagent.intent_changes import hide_secrets
from nodeagent.intent_sources import FETCHED, IMAGE, find_asked, parse_node_toml
from nodelib.bus import CheckReply, ConfigView, PendingChange, PlanReply
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.link import ApplyReply, Severity

logger = logging.getLogger(__name__)


class Configuration:
    """One configuration, changed by one thread at a time."""

    def __init__(
        self,
        applier: Applier,
        events: EventQueue,
        on_change: Callable[[], None],
    ) -> None:
        self._applier = applier
        self._events = events
        self._on_change = on_change
        self._problems: tuple[str, ...] = ()
        self._loaded = applier.load()

    @property
    def intent(self) -> Intent:
        """The intent in force."""
        return self._loaded.intent

    @property
    def loaded(self) -> LoadedIntent:
        """The intent in force, with what the boot menu said of this boot alone."""
        return self._loaded

    @property
    def problems(self) -> tuple[str, ...]:
        """Tell what is wrong with the sources and with what was applied at the start."""
        return tuple(dict.fromkeys((*self._loaded.problems, *self._problems)))

    @property
    def asked(self) -> tuple[str, ...]:
        """Name the keys that a person is asked for, and that nobody has answered."""
        return find_asked(self._loaded)

    @property
    def config_url(self) -> str:
        """Where the kernel arguments say that more configuration can be fetched."""
        return self._loaded.boot.config_url

    def is_open(self) -> bool:
        """Tell whether nobody said anything to this node yet, but the image and what was fetched."""
        return set(self._loaded.origins.values()) <= {"built-in", f"/{IMAGE}", f"/{FETCHED}"}

    def take_up(self) -> None:
        """Make the machine what its sources say now, after one of them changed."""
        self._problems = self._applier.settle()
        self._events.add(kind="config-applied", text="a new configuration was fetched", actor="node")
        self._changed()

    def start(self) -> None:
        """Put back what was left unconfirmed, then make the machine what its intent says."""
        try:
            self._note_reverted(self._applier.recover())
            self._problems = self._applier.settle()
        except (VirtnodeError, OSError) as error:
            self._problems = (f"the configuration could not be applied: {error}",)
        for problem in self._problems:
            logger.warning("%s", problem)
        self._changed()

    def show(self) -> ConfigView:
        """Show what is in force and where it came from; secrets are hidden."""
        loaded = self._loaded
        return ConfigView(hide_secrets(loaded.document), loaded.origins, loaded.problems, find_asked(loaded))

    def check(self, text: str) -> CheckReply:
        """Tell all that is wrong with the text of a `node.toml`."""
        try:
            parse_node_toml(text, "node.toml")
        except InvalidInput as error:
            return CheckReply(error.problems)
        return CheckReply()

    def plan(self, patch: Mapping[str, object]) -> PlanReply:
        """Tell what a change would do; raises InvalidInput for one that makes no sense."""
        return PlanReply(tuple(change.text for change in self._applier.preview(patch)))

    def apply(
        self,
        patch: Mapping[str, object],
        window: float,
        actor: str,
        who: Deciding = Deciding.PEOPLE,
    ) -> ApplyReply:
        """Apply a change, which goes back by itself unless it is confirmed in time."""
        applied = self._apply(patch, window, actor, who)
        self._changed()
        return ApplyReply(tuple(change.text for change in applied.changes), applied.ticket)

    def apply_at_once(self, patch: Mapping[str, object], actor: str, who: Deciding = Deciding.PEOPLE) -> None:
        """Apply a change that cannot cut the node off, and keep it."""
        applied = self._apply(patch, 60.0, actor, who)
        if applied.ticket:
            self._note_kept("kept, with no need to confirm", actor, self._applier.confirm(applied.ticket))
        self._changed()

    def confirm(self, ticket: str, actor: str) -> None:
        """Keep an applied change."""
        late = self._applier.tick()
        if late is not None:
            self._note_reverted(late)
            self._changed()
            raise VirtnodeError(
                Code.CONFLICT, "the change was put back before it was confirmed", "apply it again"
            )
        kept = self._applier.confirm(ticket)
        self._note("config-confirmed", "the change was confirmed", actor, kept.before, kept.after)
        self._changed()

    def revert(self, ticket: str, actor: str) -> None:
        """Put an applied change back."""
        reverted = self._applier.revert(ticket or None)
        self._note_reverted(reverted, actor)
        self._changed()

    def pending(self) -> PendingChange | None:
        """Tell what waits for its confirmation."""
        pending = self._applier.pending()
        if pending is None:
            return None
        return PendingChange(pending.ticket, pending.seconds_left, pending.changes)

    def tick(self) -> None:
        """Put back what was not confirmed in time."""
        reverted = self._applier.tick()
        if reverted is not None:
            self._note_reverted(reverted)
            self._changed()

    def _apply(self, patch: Mapping[str, object], window: float, actor: str, who: Deciding) -> Applied:
        """Apply a change, and note all that it does to the node."""
        try:
            applied = self._applier.apply(patch, window, actor, who)
        except VirtnodeError as error:
            if error.code is Code.FAILED:
                text = f"a change could not be applied: {error.message}"
                self._note("config-failed", text, actor, severity=Severity.WARNING)
            raise
        for change in applied.changes:
            self._note("config-applied", change.text, actor, change.before, change.after)
        if not applied.ticket and (applied.before or applied.after):
            self._note_kept("kept, with nothing to confirm", actor, applied)
        return applied

    def _note_kept(self, text: str, actor: str, applied: Applied) -> None:
        self._note("config-kept", text, actor, applied.before, applied.after)

    def _note_reverted(self, reverted: Reverted | None, actor: str = "node") -> None:
        if reverted is not None:
            whose = f"a change by {reverted.actor} was put back, for {reverted.reason}"
            text = f"{whose}: {'; '.join(reverted.changes)}"
            severity = Severity.WARNING
            self._note("config-reverted", text, actor, reverted.before, reverted.after, severity=severity)

    def _note(
        self,
        kind: str,
        text: str,
        actor: str,
        before: object = None,
        after: object = None,
        *,
        severity: Severity = Severity.INFO,
    ) -> None:
        self._events.add(kind=kind, text=text, actor=actor, before=before, after=after, severity=severity)

    def _changed(self) -> None:
        self._loaded = self._applier.load()
        self._on_change()
