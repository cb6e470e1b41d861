"""Texts of the security screen."""

TEXTS = {
    "security.title": "Security",
}
