"""Dialogs that any screen can show; each gives its answer, or None for Esc."""
