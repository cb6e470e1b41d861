"""The ten screens in the order of the menu; each is imported when it is first opened."""

import asyncio
import importlib
import sys
from typing import cast

from tui.page import Page

SCREENS = {
    "status": "StatusPage",
    "join": "JoinPage",
    "network": "NetworkPage",
    "storage": "StoragePage",
    "install": "InstallPage",
    "guests": "GuestsPage",
    "security": "SecurityPage",
    "logs": "LogsPage",
    "support": "SupportPage",
    "system": "SystemPage",
}
"""Key, which is also the module's name, and class."""
PAUSE = 0.01
"""Seconds in which keys and drawing have their turn."""


def page_class(key: str) -> type[Page]:
    """Load a screen's class: what is never opened takes no memory."""
    module = importlib.import_module(f"tui.screens.{key}")
    return cast(type[Page], getattr(module, SCREENS[key]))


async def load_page(key: str) -> type[Page]:
    """Load a screen's class when nothing else is to be done: each takes a slow machine a good while."""
    if f"tui.screens.{key}" not in sys.modules:
        await asyncio.sleep(PAUSE)
    return page_class(key)


def digit(key: str) -> str:
    """Tell the digit that opens a screen: 1 to 9, and 0 for the tenth."""
    return str((list(SCREENS).index(key) + 1) % 10)
