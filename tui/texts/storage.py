"""Texts of the storage screen."""

TEXTS = {
    "storage.title": "Storage",
}
