"""Texts of the guests screen."""

TEXTS = {
    "guests.title": "Virtual machines",
}
