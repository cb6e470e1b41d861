"""What a start of the machine says about the newest update: tried, kept, or taken back."""

from dataclasses import dataclass, replace

from nodeagent.update.environment import Environment
from nodeagent.update.record import UpdateRecord
from nodelib.bus_update import UpdateState
from nodelib.slot_menu import TRIES

UNDER_WAY = (UpdateState.FETCHING, UpdateState.WRITING)
OPEN = (UpdateState.WRITING, UpdateState.READY, UpdateState.TRIAL)
NEVER_PASSED = f"it did not pass in {TRIES} tries"


@dataclass(frozen=True)
class Start:
    """How the machine was started."""

    booted: str
    """The slot that runs."""
    trial: str
    """The slot that the kernel arguments call on trial."""
    environment: Environment


def judge_start(record: UpdateRecord, start: Start, now: float) -> UpdateRecord:
    """Bring the record up to what this start shows; the same record where it shows nothing new."""
    environment, booted = start.environment, start.booted
    if start.trial == booted and environment.trial == booted:
        return _on_trial(record, booted, now)
    if record.slot == booted and record.state in OPEN and environment.slot == booted:
        return replace(record, state=UpdateState.KEPT, waits_for=(), time=now)
    if record.slot and record.slot != booted:
        waits_still = environment.trial == record.slot and environment.tries > 0
        if record.state in (UpdateState.READY, UpdateState.TRIAL) and not waits_still:
            return replace(record, state=UpdateState.ROLLED_BACK, error=NEVER_PASSED, time=now)
    if record.state in UNDER_WAY:
        return replace(
            record,
            state=UpdateState.FAILED,
            error="the machine or its agent stopped in the midst of it",
            hint="update again; the image that runs was not touched",
            time=now,
        )
    if record.state is UpdateState.IDLE and environment.failed and environment.failed != booted:
        # The state was forgotten, or there is none; the boot menu remembers that much.
        return UpdateRecord(
            UpdateState.ROLLED_BACK, environment.failed, error="its image never passed", time=now
        )
    return record


def _on_trial(record: UpdateRecord, booted: str, now: float) -> UpdateRecord:
    if record.slot != booted:
        return UpdateRecord(UpdateState.TRIAL, booted, time=now)
    if record.state is UpdateState.TRIAL:
        return record
    return replace(record, state=UpdateState.TRIAL, waits_for=(), error="", hint="", time=now)
