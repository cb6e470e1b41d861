"""Texts of the system screen."""

TEXTS = {
    "system.title": "System",
}
