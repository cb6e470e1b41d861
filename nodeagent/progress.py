"""How far the way to the engine has been gone: written by the link's thread, read by all others."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from nodelib.ladder import Step

REMOTE_STEPS = (Step.PROXY, Step.TCP, Step.TLS_PIN, Step.TOKEN, Step.APPROVAL, Step.HEARTBEAT)
"""What can be known only by going there."""


@dataclass(frozen=True)
class Progress:
    """What the last try to reach the engine found."""

    engine: str = ""
    """The address that was dialled; empty where there is no engine to join."""
    reached: Step | None = None
    """The last step that held."""
    failed: Step | None = None
    message: str = ""
    hint: str = ""
    token_given: bool = False
    proxy_given: bool = False
    connected: bool = False
    """Heartbeats are being answered."""
    state: str = ""
    """The engine's last word: a NodeState."""
    reason: str = ""
    node: str = ""
    name: str = ""
    skew: float | None = None
    """Seconds that the engine's clock is before ours."""

    def holds(self, step: Step) -> bool:
        """Tell whether the last try got past a step."""
        return self.reached is not None and REMOTE_STEPS.index(step) <= REMOTE_STEPS.index(self.reached)


class ProgressBoard:
    """The present progress; `on_change` is told of each new one, in the thread that changed it."""

    def __init__(self, on_change: Callable[[Progress], None]) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._progress = Progress()

    @property
    def now(self) -> Progress:
        """The present progress."""
        with self._lock:
            return self._progress

    def begin(self, engine: str, *, token_given: bool, proxy_given: bool) -> None:
        """Note the start towards an engine; what another one said is forgotten."""
        with self._lock:
            kept = self._progress if self._progress.engine == engine else Progress()
        self._set(
            replace(kept, engine=engine, token_given=token_given, proxy_given=proxy_given, connected=False)
        )

    def reach(self, step: Step) -> None:
        """Note that a step holds."""
        connected = step is Step.HEARTBEAT
        self._set(replace(self.now, reached=step, failed=None, message="", hint="", connected=connected))

    def fail(self, step: Step, message: str, hint: str) -> None:
        """Note that a step does not hold, nor what comes after it."""
        place = REMOTE_STEPS.index(step) if step in REMOTE_STEPS else 0
        reached = REMOTE_STEPS[place - 1] if place else None
        self._set(
            replace(self.now, reached=reached, failed=step, message=message, hint=hint, connected=False)
        )

    def hear(self, *, state: str, reason: str = "", node: str = "", name: str = "") -> None:
        """Keep what the engine said about this node."""
        now = self.now
        self._set(replace(now, state=state, reason=reason, node=node or now.node, name=name or now.name))

    def measure(self, skew: float) -> None:
        """Keep how far the clocks are apart."""
        self._set(replace(self.now, skew=skew))

    def clear(self) -> None:
        """Note that there is no engine to join."""
        self._set(Progress())

    def _set(self, progress: Progress) -> None:
        with self._lock:
            changed, self._progress = progress != self._progress, progress
        if changed:
            self._on_change(progress)
