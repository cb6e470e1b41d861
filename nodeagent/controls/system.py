"""The verbs of virtnodectl about system."""

from nodeagent.controls.terminal import Verbs


def add_system_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
