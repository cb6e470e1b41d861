"""Texts of the install screen."""

TEXTS = {
    "install.title": "Install",
}
