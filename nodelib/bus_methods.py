"""All methods of the agent's object, apart from the declarations: to know all of them takes time."""

from typing import Any

from nodelib import (
    bus,
    bus_access,
    bus_guests,
    bus_install,
    bus_network,
    bus_storage,
    bus_support,
    bus_system,
    bus_update,
)
from nodelib.link import Verb

MODULES = (
    bus,
    bus_access,
    bus_network,
    bus_storage,
    bus_guests,
    bus_support,
    bus_system,
    bus_install,
    bus_update,
)
METHODS: tuple[Verb[Any, Any], ...] = tuple(verb for module in MODULES for verb in module.METHODS)
"""All methods of the interface."""
GUARDED = frozenset(verb.name for module in MODULES for verb in module.GUARDED)
"""Names of the methods that change something: once a password is set, an unlocked connection alone may."""
