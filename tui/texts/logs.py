"""Texts of the logs screen."""

TEXTS = {
    "logs.title": "Logs",
}
