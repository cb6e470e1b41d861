"""What a person wants to know of where a configuration comes from: what is in use, and what is still open."""

from collections.abc import Sequence

from nodelib.bus import SourceState, SourceStep


def sort_steps(steps: Sequence[SourceStep]) -> tuple[tuple[str, ...], tuple[SourceStep, ...]]:
    """Name the sources in use, and give those of which there is more to say: all, while none is in use."""
    used = tuple(one.name for one in steps if one.state is SourceState.USED)
    open_ones = tuple(one for one in steps if one.state in (SourceState.KEPT, SourceState.TRYING))
    return used, open_ones if is_configured(steps) else tuple(steps)


def is_configured(steps: Sequence[SourceStep]) -> bool:
    """Tell whether any source beside the image says something."""
    return any(one.state in (SourceState.USED, SourceState.KEPT) for one in steps)
