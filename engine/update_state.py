"""How the update of a node stands: what the node says of it, and what follows. No clock, no socket."""

from dataclasses import dataclass
from enum import StrEnum

from engine.events import Event
from engine.node_state import Verdict
from engine.printable import printable
from engine.store.update_rows import UpdateRow
from nodelib.bus_update import UpdateState, UpdateView
from nodelib.link import NodeState


class Phase(StrEnum):
    """How far the update of a node is, as the engine sees it."""

    ORDERING = "ordering"
    """The node is to be asked; whether it has heard is not known."""
    INSTALLING = "installing"
    """It fetches and writes the image."""
    REBOOTING = "rebooting"
    TRIAL = "trial"
    """It runs the image, and its health check goes on."""
    KEPT = "kept"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


UNDER_WAY = (Phase.ORDERING, Phase.INSTALLING, Phase.REBOOTING, Phase.TRIAL)
AGAIN = "read the reason, then upgrade it again, or activate it as it is"


@dataclass(frozen=True)
class Finding:
    """What follows from what a node said; `reason` is a person's sentence."""

    phase: Phase
    reason: str = ""
    action: str = ""


@dataclass(frozen=True)
class UpdateDecision:
    """What an update makes of its node: a verdict while it has a say, maintenance, and what is logged."""

    verdict: Verdict | None
    maintenance: bool
    event: Event | None = None


def is_under_way(row: UpdateRow | None) -> bool:
    """Tell whether a node's update has not come to an end yet."""
    return row is not None and row.phase in UNDER_WAY


def judge_update(row: UpdateRow) -> Verdict | None:
    """Decide what an update makes of its node's state; None when it has no say."""
    if not row.standing:
        return None
    phase = Phase(row.phase)
    if phase in UNDER_WAY:
        state = NodeState.REBOOTING if phase in (Phase.REBOOTING, Phase.TRIAL) else NodeState.INSTALLING
        return Verdict(state, row.reason or f"is updated to {row.version}", "wait")
    # What was taken back runs, with its former image; what failed may be anything.
    state = NodeState.FAILED if phase is Phase.FAILED else NodeState.NON_OPERATIONAL
    return Verdict(state, row.reason, row.action)


def follow_view(row: UpdateRow, view: UpdateView, running_build: str) -> Finding | None:
    """Read what a node says of its newest update; None when that is not about this one, or says nothing."""
    if view.time == row.mark and view.state is not UpdateState.IDLE:
        return None
    if view.state is UpdateState.IDLE:
        # A node that forgets at each start tells by what it runs.
        if running_build == row.build_id and row.build_before != row.build_id:
            return Finding(Phase.KEPT)
        return None
    if view.build_id and view.build_id != row.build_id:
        other = printable(view.version, 60) or "another image"
        return Finding(Phase.FAILED, f"the node was updated to {other} meanwhile, by somebody else", AGAIN)
    return _FOLLOWERS[view.state](row, view)


def _follow_fetching(row: UpdateRow, view: UpdateView) -> Finding:
    return Finding(Phase.INSTALLING, f"fetches {row.version}: {_percent(view)} %")


def _follow_writing(row: UpdateRow, view: UpdateView) -> Finding:
    return Finding(Phase.INSTALLING, f"writes {row.version}: {_percent(view)} %")


def _follow_ready(row: UpdateRow, view: UpdateView) -> Finding:
    return Finding(Phase.REBOOTING, f"restarts into {row.version}")


def _follow_trial(row: UpdateRow, view: UpdateView) -> Finding:
    missing = _missing(view)
    return Finding(
        Phase.TRIAL, f"runs {row.version} on trial" + (f"; waits for {missing}" if missing else "")
    )


def _follow_kept(row: UpdateRow, view: UpdateView) -> Finding:
    return Finding(Phase.KEPT)


def _follow_rolled_back(row: UpdateRow, view: UpdateView) -> Finding:
    why = printable(view.error, 500) or _missing(view) or "it did not pass its health check"
    return Finding(
        Phase.ROLLED_BACK, f"{row.version} was taken back: {why}", printable(view.hint, 500) or AGAIN
    )


def _follow_failed(row: UpdateRow, view: UpdateView) -> Finding:
    why = printable(view.error, 500) or "the node does not say why"
    return Finding(Phase.FAILED, f"not updated to {row.version}: {why}", printable(view.hint, 500) or AGAIN)


_FOLLOWERS = {
    UpdateState.FETCHING: _follow_fetching,
    UpdateState.WRITING: _follow_writing,
    UpdateState.READY: _follow_ready,
    UpdateState.TRIAL: _follow_trial,
    UpdateState.KEPT: _follow_kept,
    UpdateState.ROLLED_BACK: _follow_rolled_back,
    UpdateState.FAILED: _follow_failed,
}


def _percent(view: UpdateView) -> int:
    return min(max(view.percent, 0), 100)


def _missing(view: UpdateView) -> str:
    return printable("; ".join(view.waits_for[:10]), 500)
