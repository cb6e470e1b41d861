"""The configuration as bus and link see it: shown without secrets, planned, applied, confirmed, put back."""

import logging
from collections.abc import Callable, Mapping

from nodeagent.applier import Applier, Reverted
from nodeagent.events import EventQueue
from nodeagent.intent import Intent, LoadedIntent
from nodeagent.intent_changes import hide_secrets
from nodeagent.intent_sources import parse_node_toml
from nodelib.bus import CheckReply, ConfigView, PendingChange, PlanReply
from nodelib.errors import InvalidInput, VirtnodeError
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
        """Tell what is wrong with the sources, and with what was to be applied at the start."""
        return tuple(dict.fromkeys((*self._loaded.problems, *self._problems)))

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
        return ConfigView(hide_secrets(self._loaded.document), self._loaded.origins, self._loaded.problems)

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

    def apply(self, patch: Mapping[str, object], window: float, actor: str) -> ApplyReply:
        """Apply a change, which goes back by itself unless it is confirmed in time."""
        applied = self._applier.apply(patch, window, actor)
        changes = tuple(change.text for change in applied.changes)
        for change in applied.changes:
            self._events.add(
                kind="config-applied",
                text=change.text,
                actor=actor,
                before=change.before,
                after=change.after,
            )
        self._changed()
        return ApplyReply(changes, applied.ticket)

    def apply_at_once(self, patch: Mapping[str, object], actor: str) -> None:
        """Apply a change that cannot cut the node off, and keep it."""
        applied = self._applier.apply(patch, 60.0, actor)
        if applied.ticket:
            self._applier.confirm(applied.ticket)
        self._changed()

    def confirm(self, ticket: str, actor: str) -> None:
        """Keep an applied change."""
        self._applier.confirm(ticket)
        self._events.add(kind="config-confirmed", text="the change was confirmed", actor=actor)
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

    def _note_reverted(self, reverted: Reverted | None, actor: str = "node") -> None:
        if reverted is not None:
            text = f"put back, for {reverted.reason}: {'; '.join(reverted.changes)}"
            self._events.add(kind="config-reverted", text=text, actor=actor, severity=Severity.WARNING)

    def _changed(self) -> None:
        self._loaded = self._applier.load()
        self._on_change()
