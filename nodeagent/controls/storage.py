"""The verbs of virtnodectl about storage."""

from nodeagent.controls.terminal import Verbs


def add_storage_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
