"""Time and chance, handed to whoever needs them so that tests can choose both."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Clocks:
    """Where time and chance come from."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970; may jump."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that only grow."""
    random: Callable[[], float] = random.random
    """A number from 0 to 1."""
