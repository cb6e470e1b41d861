"""Texts of the network screen."""

TEXTS = {
    "network.title": "Network",
}
