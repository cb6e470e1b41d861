"""How a person gets to a place that a hint names, by command."""

from collections.abc import Mapping

from nodelib.places import Place

COMMANDS: Mapping[str, str] = {
    Place.JOURNAL: "virtnodectl journal shows it",
    Place.UNIT: "virtnodectl journal --unit {what} says why",
    Place.LADDER: "virtnodectl status says why",
    Place.JOIN: "virtnodectl join HOST --ca PIN",
    Place.LEAVE: "virtnodectl leave",
    Place.LINKS: "virtnodectl facts lists them",
    Place.STORAGE: "virtnodectl storage lists them",
    Place.DISKS: "virtnodectl install plan shows the disk",
    Place.INSTALL: "virtnodectl install puts it on one",
    Place.REPAIR: "virtnodectl install run RULE --repair",
    Place.MIRROR: "virtnodectl install run RULE --mirror RULE makes one",
    Place.GUESTS: "virtnodectl guests lists them",
    Place.DRIVES: "virtnodectl support --drives lists them",
    Place.UPDATE: "virtnodectl update status shows how it stands",
    Place.UPDATE_PLAN: "virtnodectl update --check shows the whole plan",
    Place.RESTART: "virtnodectl power reboot",
    Place.CONFIRM: "virtnodectl config confirm, or config revert",
    Place.REVERT: "virtnodectl config revert tries again",
}
"""A clause for each place."""
