"""Texts of the join screen."""

TEXTS = {
    "join.title": "Join an engine",
}
