"""Places where a person looks further: a hint names one, and each front end says how to get there.

The console has no shell and virtnodectl no screens. A hint such as `the disk may be dying: <journal>` becomes
`8 shows the journal` on the one and a command on the other.
"""

import re
from collections.abc import Mapping
from enum import StrEnum


class Place(StrEnum):
    """What a hint can point to; each front end has a clause for each."""

    JOURNAL = "journal"
    UNIT = "unit"
    """The journal of a unit, which is named."""
    LADDER = "ladder"
    """Why the node has not joined."""
    JOIN = "join"
    LEAVE = "leave"
    LINKS = "links"
    STORAGE = "storage"
    """Disks, iSCSI sessions."""
    DISKS = "disks"
    """Disks to install to."""
    INSTALL = "install"
    REPAIR = "repair"
    """The second disk of a mirror is made anew."""
    MIRROR = "mirror"
    GUESTS = "guests"
    DRIVES = "drives"
    """USB drives that an archive can be written to."""
    UPDATE = "update"
    UPDATE_PLAN = "update-plan"
    RESTART = "restart"
    CONFIRM = "confirm"
    REVERT = "revert"


MARK = re.compile(rf"<({'|'.join(Place)})(?: ([^<>]*))?>")


def at(place: Place, what: str = "") -> str:
    """Write a place into a hint; `what` is the unit, where there is one."""
    return f"<{place} {what}>" if what else f"<{place}>"


def word_places(text: str, clauses: Mapping[str, str]) -> str:
    """Say how to get to each place that a text names, in the clauses of a front end."""
    return MARK.sub(lambda found: clauses[found[1]].format(what=found[2] or ""), text)
