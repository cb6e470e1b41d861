"""The verbs of virtnodectl about guests."""

from nodeagent.controls.terminal import Verbs


def add_guests_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
