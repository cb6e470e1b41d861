"""Where the node looked for its configuration, in the order of the sources, and what came of each."""

from collections.abc import Iterable, Mapping

from nodeagent.decided import STATE_ORIGINS
from nodeagent.intent_sources import KERNEL
from nodelib.bus import ENGINE_ORIGIN, SourceState, SourceStep


def list_steps(
    at_start: Iterable[SourceStep], fetched: SourceStep, origins: Mapping[str, str]
) -> tuple[SourceStep, ...]:
    """Lay the steps out: what was read at the start, what is fetched, and what more has a say in some key."""
    told = {origin for key, origin in origins.items() if key != "version"}
    more = {
        "kernel arguments": KERNEL in told,
        "the engine": ENGINE_ORIGIN in told,
        "decided here": bool(told & STATE_ORIGINS),
    }
    used = [SourceStep(name, SourceState.USED, "used") for name, is_used in more.items() if is_used]
    return (*at_start, fetched, *used)
