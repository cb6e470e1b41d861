"""What travels to a node with the console is all that the console needs."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent.parent
VENDOR = CHECKOUT / "tui/vendor.txt"
LEFT_OUT = ("markdown_it", "mdurl", "mdit_py_plugins", "pygments", "linkify_it")
"""What Textual and rich would take along for Markdown and source code."""
SESSION = """
import asyncio, sys
sys.modules.update({name: None for name in LEFT_OUT})
from tests.tui.sessions import COLOUR, PLAIN, running
from tui.screen_table import SCREENS, digit

async def go():
    for look in (PLAIN, COLOUR):
        async with running("thirty-nics", look=look) as session:
            for key in SCREENS:
                await session.press(digit(key))
            await session.press("1", "c", "escape", "f1", "escape", "ctrl+p", "escape", "f12", "escape")

asyncio.run(go())
places = {name.partition(".")[0] for name, module in sys.modules.items()
          if "site-packages" in str(getattr(module, "__file__", ""))}
print(*sorted(places))
"""


def pins() -> dict[str, str]:
    """Name the wheels and their versions."""
    return dict(re.findall(r"(?m)^([\w-]+)==(\S+) --hash=sha256:[0-9a-f]{64}$", VENDOR.read_text()))


def test_the_console_runs_on_what_is_vendored() -> None:
    """Every screen opens with the pinned wheels alone."""
    script = f"LEFT_OUT = {LEFT_OUT!r}\n{SESSION}"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    of_tests = {"certifi", "pytest", "_distutils_hack"}
    used = {name for name in done.stdout.split() if not name.startswith("__editable__")} - of_tests
    assert used <= set(pins()), used


def test_the_pins_are_what_is_tested() -> None:
    """The console reaches into Textual where it draws frugally: a node gets the version that was tested."""
    assert pins()["textual"] == importlib.metadata.version("textual")
