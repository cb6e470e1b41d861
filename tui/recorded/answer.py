"""What the parts of a recorded machine have in common: an answer gets the machine and the request."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from nodelib.link import Verb

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine

Answers: TypeAlias = "Mapping[Verb[Any, Any], Callable[[RecordedMachine, Any], object]]"
"""By method: what answers it; None for a method that replies nothing."""
