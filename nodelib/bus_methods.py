"""All methods of the agent's object, apart from the declarations: to know all of them takes time."""

from nodelib import (
    bus_access,
    bus_guests,
    bus_install,
    bus_network,
    bus_storage,
    bus_support,
    bus_system,
    bus_update,
)
from nodelib.bus import (
    CONFIG_APPLY,
    CONFIG_CHECK,
    CONFIG_CONFIRM,
    CONFIG_PLAN,
    CONFIG_REVERT,
    CONFIG_SHOW,
    FACTS,
    JOIN,
    LADDER,
    LEAVE,
    NEW_KEY,
    STATUS,
    SUPPORT,
)

METHODS = (
    STATUS,
    FACTS,
    LADDER,
    CONFIG_SHOW,
    CONFIG_CHECK,
    CONFIG_PLAN,
    CONFIG_APPLY,
    CONFIG_CONFIRM,
    CONFIG_REVERT,
    JOIN,
    LEAVE,
    NEW_KEY,
    SUPPORT,
    *bus_access.METHODS,
    *bus_network.METHODS,
    *bus_storage.METHODS,
    *bus_guests.METHODS,
    *bus_support.METHODS,
    *bus_system.METHODS,
    *bus_install.METHODS,
    *bus_update.METHODS,
)
"""All methods of the interface."""
GUARDED = frozenset(
    verb.name
    for verb in (
        CONFIG_APPLY,
        CONFIG_CONFIRM,
        CONFIG_REVERT,
        JOIN,
        LEAVE,
        NEW_KEY,
        SUPPORT,
        *bus_access.GUARDED,
        *bus_network.GUARDED,
        *bus_storage.GUARDED,
        *bus_guests.GUARDED,
        *bus_support.GUARDED,
        *bus_system.GUARDED,
        *bus_install.GUARDED,
        *bus_update.GUARDED,
    )
)
"""Names of the methods that change something: once a password is set, an unlocked connection alone may."""
