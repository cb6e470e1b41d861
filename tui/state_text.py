"""The state of a node in a word or two."""

from nodelib.link import NodeState
from tui.seen import Seen
from tui.texts import say

KNOWN_STATES = {state.value for state in NodeState}


def state_text(seen: Seen) -> str:
    """Say how the node stands in a word or two."""
    status = seen.status
    if seen.trouble:
        return say("state.silent" if seen.heard else "state.starting")
    if not status.engine:
        return say("state.alone")
    if status.state not in KNOWN_STATES:
        return say("state.joining")
    if status.state == NodeState.UP and not status.connected:
        return say("state.unreachable")
    return say(f"state.{status.state}")
