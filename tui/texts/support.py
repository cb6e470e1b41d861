"""Texts of the support screen."""

TEXTS = {
    "support.title": "Support",
}
