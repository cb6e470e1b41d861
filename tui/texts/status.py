"""Texts of the status screen."""

TEXTS = {
    "status.title": "Status",
}
