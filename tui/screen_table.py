"""The ten screens in the order of the menu; each is imported when it is first opened."""

import importlib
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


def page_class(key: str) -> type[Page]:
    """Load a screen's class: what is never opened takes no memory."""
    module = importlib.import_module(f"tui.screens.{key}")
    return cast(type[Page], getattr(module, SCREENS[key]))


def digit(key: str) -> str:
    """Tell the digit that opens a screen: 1 to 9, and 0 for the tenth."""
    return str((list(SCREENS).index(key) + 1) % 10)
