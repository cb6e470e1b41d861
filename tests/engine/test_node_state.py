"""States of a node, from what is known of it."""

from dataclasses import replace

import pytest

from engine.node_state import Graces, Situation, judge
from nodelib.link import NodeState

GRACES = Graces()
ALIVE = Situation(
    before=NodeState.UP,
    connected=True,
    heard=True,
    healthy=True,
    problems=(),
    guests=0,
    silence=1.0,
    engine_age=3600.0,
)
GONE = replace(ALIVE, connected=False, heard=False)


@pytest.mark.parametrize(
    ("situation", "state"),
    [
        (ALIVE, NodeState.UP),
        (replace(ALIVE, heard=False), NodeState.CONNECTING),
        (replace(ALIVE, healthy=False, problems=("chronyd failed",)), NodeState.NON_OPERATIONAL),
        (replace(ALIVE, silence=31.0), NodeState.CONNECTING),
        (replace(ALIVE, silence=61.0), NodeState.UNREACHABLE),
        (GONE, NodeState.CONNECTING),
        (replace(GONE, silence=60.0), NodeState.CONNECTING),
        (replace(GONE, silence=60.1), NodeState.UNREACHABLE),
        (replace(GONE, silence=109.0, guests=100), NodeState.CONNECTING),
        (replace(GONE, silence=110.1, guests=100), NodeState.UNREACHABLE),
        (replace(GONE, silence=299.0, engine_age=299.0), NodeState.CONNECTING),
        (replace(GONE, silence=301.0, engine_age=301.0), NodeState.UNREACHABLE),
        (replace(GONE, before=NodeState.UNREACHABLE, engine_age=5.0), NodeState.UNREACHABLE),
        (replace(ALIVE, before=NodeState.UNREACHABLE, heard=False), NodeState.CONNECTING),
        (replace(ALIVE, maintenance=True), NodeState.MAINTENANCE),
        (replace(GONE, maintenance=True, silence=9999.0), NodeState.MAINTENANCE),
        (replace(ALIVE, rebooting=5.0), NodeState.REBOOTING),
        (replace(GONE, rebooting=599.0, silence=599.0), NodeState.REBOOTING),
        (replace(GONE, rebooting=601.0, silence=601.0), NodeState.UNREACHABLE),
        (replace(ALIVE, rebooting=601.0), NodeState.UP),
    ],
)
def test_a_situation_has_a_state(situation: Situation, state: NodeState) -> None:
    """Each rule, at its edges."""
    verdict = judge(situation, GRACES)
    assert verdict.state is state
    # Whoever is not up has one thing to do about it, and a reason.
    assert bool(verdict.action) == bool(verdict.reason) == (state is not NodeState.UP)


def test_a_short_grace_still_waits_for_more_than_two_heartbeats() -> None:
    """A setting cannot make one lost packet look like a lost node."""
    short = Graces(silence=1.0)
    assert judge(replace(GONE, silence=20.0), short).state is NodeState.CONNECTING
    assert judge(replace(GONE, silence=20.1), short).state is NodeState.UNREACHABLE


def test_problems_are_shown_as_one_line() -> None:
    """What a node says is cut and cleaned before a person or a database sees it."""
    problems = ("unit a failed\n\x1b[31mred", "x\0y", *("z" * 500 for _ in range(50)))
    reason = judge(replace(ALIVE, healthy=False, problems=problems), GRACES).reason
    assert reason.startswith("unit a failed  [31mred; x y; zzz")
    assert len(reason) <= 1000
    assert reason.isprintable()
