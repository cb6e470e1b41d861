"""The verbs of virtnodectl about network."""

from nodeagent.controls.terminal import Verbs


def add_network_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
