"""How a person gets to a place that a hint of the agent names, on this console."""

TEXTS = {
    "place.journal": "8 shows the journal",
    "place.unit": "8 shows its journal (u: {what})",
    "place.ladder": "2 shows where it stands",
    "place.join": "2 joins one",
    "place.leave": "2 leaves it",
    "place.links": "3 lists them",
    "place.storage": "4 lists them",
    "place.disks": "5 shows the disk",
    "place.install": "5 puts it on one",
    "place.repair": "over SSH, as root: virtnodectl install run RULE --repair",
    "place.mirror": "5 makes one",
    "place.guests": "6 lists them",
    "place.drives": "9 lists them",
    "place.update": "0 shows how it stands",
    "place.update-plan": "its plan says all of it",
    "place.restart": "0 restarts it",
    "place.confirm": "Ctrl-D decides about it",
    "place.revert": "try it again here",
}
