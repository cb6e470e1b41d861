"""What the console loads before its first picture: each module costs time, and all of them memory."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
FIRST = "import sys, tui.main, tui.bus, tui.app, tui.screens.status; print(*sys.modules)"
LATER = (
    *("segno", "http.client", "email", "pyte", "tui.recorded", "nodelib.bus_methods"),
    *(f"nodelib.bus_{area}" for area in ("guests", "install", "network", "storage", "support", "update")),
)
"""What other screens, dialogs and errors bring along when they are seen first."""


def test_the_first_picture_loads_nothing_that_it_does_not_show() -> None:
    """Neither other screens' declarations, nor what draws QR codes."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "tui.screens.status" in loaded
    assert loaded.isdisjoint(LATER), sorted(loaded.intersection(LATER))
