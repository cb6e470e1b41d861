"""The verbs of virtnodectl about access."""

from nodeagent.controls.terminal import Verbs


def add_access_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
