"""Texts of the install screen."""

TEXTS = {
    "install.title": "Install",
    "install.runs": "Runs from",
    "install.disks": "Disks of this machine, and what is on them:",
    "install.to_come": (
        "This version cannot install itself from here yet; that is to come. "
        "Nothing on this screen writes to a disk."
    ),
}
