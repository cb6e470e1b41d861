"""The verbs of virtnodectl about support."""

from nodeagent.controls.terminal import Verbs


def add_support_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
