"""Texts of the system screen."""

TEXTS = {
    "system.title": "System",
    "system.keymap": "Keyboard",
    "system.keymap_none": "This image has no list of keyboard layouts to choose from.",
    "system.timezone": "Time zone",
    "system.timezone_none": "This image has no list of time zones to choose from.",
    "system.save": "Apply",
    "system.product": "Version",
    "system.build": "Build",
    "system.kernel": "Kernel",
    "system.booted": "Booted from",
    "system.kept": "Settings",
    "system.kept_yes": "are kept on the disk",
    "system.kept_no": "are gone after a restart: this node has no disk for them",
    "system.slot": "Slot {name}",
    "system.slot_booted": "runs now",
    "system.slot_empty": "no version known",
    "system.no_slots": "none: this node was not installed to a disk",
    "system.slots": "Slots",
    "system.update": "Update",
    "system.maintenance": "Maintenance",
    "system.maintenance_yes": "yes",
    "system.maintenance_no": "no",
    "system.maintenance_question": "Put this node into maintenance?",
    "system.maintenance_text": "The engine is asked to give this node no more work.",
    "system.maintenance_end": "Take this node back from maintenance?",
    "system.maintenance_end_text": "The engine is asked to give this node work again.",
    "system.reset": "Factory reset",
    "system.reset_question": "Reset {hostname}?",
    "system.reset_text": (
        "All that was decided on this node is forgotten: network, password,\n"
        "SSH keys, the engine, and who this node is. Then it restarts.\n"
        "The disks of virtual machines stay."
    ),
    "system.reset_sent": "The node resets itself and restarts.",
    "system.no_hostname": "This node's name is not known yet, so there is nothing to type for a yes.",
}
