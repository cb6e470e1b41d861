"""The verbs of virtnodectl about updates."""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus_update import (
    ROLL_BACK,
    UPDATE_PLAN,
    UPDATE_RUN,
    UPDATE_VIEW,
    PackageChange,
    RollBack,
    UpdatePlan,
    UpdateRun,
    UpdateSource,
    UpdateState,
    UpdateView,
)
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing

LOOK = 0.5
STATUS_WORD = "status"
UNDER_WAY = (UpdateState.FETCHING, UpdateState.WRITING)
GUESTS_HELP = "shut running virtual machines down first; without it nothing is done while some run"
UPDATE_DETAILS = """\
The bundle's signature and every byte of it are checked before anything is written, and the slot that runs is
not touched. The new image has three starts to show that it works; otherwise the one that runs now comes back.
"""
STATES = {
    UpdateState.IDLE: "there was no update",
    UpdateState.FETCHING: "is being fetched",
    UpdateState.WRITING: "is being written",
    UpdateState.READY: "is written; the next start tries it",
    UpdateState.TRIAL: "is on trial",
    UpdateState.KEPT: "is kept",
    UpdateState.ROLLED_BACK: "was taken back",
    UpdateState.FAILED: "failed",
}


def add_update_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    update = add_verb(verbs, "update", run_update, "write another image to the other slot, and try it")
    update.epilog = UPDATE_DETAILS
    update.add_argument("where", metavar="FILE|URL|status", help="a bundle, or the word status")
    update.add_argument("--check", action="store_true", help="show the plan, and change nothing")
    update.add_argument("--no-restart", action="store_true", help="leave the restart to somebody else")
    update.add_argument("--stop-guests", action="store_true", help=GUESTS_HELP)
    update.add_argument("--json", action="store_true", help="print plan or status as JSON")
    back = add_verb(verbs, "rollback", run_roll_back, "start the other slot's image again, from now on")
    back.add_argument("--stop-guests", action="store_true", help=GUESTS_HELP)


def run_update(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show how the newest update stands, what another one would do, or do it."""
    if found.where == STATUS_WORD:
        view = terminal.client.call(UPDATE_VIEW, Nothing())
        terminal.say(to_json(view) if found.json else view_text(view))
        return
    source = UpdateSource(_whole(found.where))
    if found.check:
        plan = terminal.client.call(UPDATE_PLAN, source)
        terminal.say(to_json(plan) if found.json else plan_text(plan))
        if plan.problems:
            raise VirtnodeError(Code.CONFLICT, "this cannot be done", "see the problems above")
        return
    asked = UpdateRun(source.where, not found.no_restart, found.stop_guests)
    terminal.client.call(UPDATE_RUN, asked)
    follow(lambda: terminal.client.call(UPDATE_VIEW, Nothing()), terminal)
    if asked.restart:
        terminal.say("restarting; virtnodectl update status tells how it ends")


def run_roll_back(found: argparse.Namespace, terminal: Terminal) -> None:
    """Go back."""
    before = terminal.client.call(UPDATE_VIEW, Nothing())
    terminal.client.call(ROLL_BACK, RollBack(found.stop_guests))
    withdrawn = before.state is UpdateState.READY
    terminal.say("it is not tried any more" if withdrawn else "restarting with the other slot's image")


def follow(
    ask: Callable[[], UpdateView], terminal: Terminal, pause: Callable[[float], None] = time.sleep
) -> None:
    """Print each new step until all is written; raises VirtnodeError (failed) if it was not."""
    said = ""
    while True:
        view = ask()
        line = f"{view.percent:3} %  {view.step}" if view.state in UNDER_WAY else ""
        if line and line != said:
            terminal.say(line)
            terminal.out.flush()
            said = line
        if view.state is UpdateState.FAILED:
            raise VirtnodeError(Code.FAILED, view.error, view.hint)
        if view.state not in UNDER_WAY:
            terminal.say(f"{what(view)} {STATES[view.state]}")
            return
        pause(LOOK)


def what(view: UpdateView) -> str:
    """Name an update."""
    return " ".join(filter(None, (view.version or "the image", view.build_id[:8], f"in slot {view.slot}")))


def view_text(view: UpdateView) -> str:
    """Lay out how the newest update stands."""
    return "".join(f"{line}\n" for line in _view_lines(view))


def _view_lines(view: UpdateView) -> Iterator[str]:
    if view.state is UpdateState.IDLE:
        yield STATES[view.state]
    else:
        yield f"{what(view)} {STATES[view.state]}"
    if view.state in UNDER_WAY:
        yield f"{view.percent:3} %  {view.step}"
    if view.state in (UpdateState.READY, UpdateState.TRIAL):
        yield f"starts left   {view.tries_left}"
    word = "missed" if view.state is UpdateState.ROLLED_BACK else "waits for"
    yield from (f"{word:<13} {line}" for line in view.waits_for)
    if view.error:
        yield f"reason        {view.error}"
    if view.hint:
        yield f"hint          {view.hint}"
    if view.time:
        yield f"since         {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime(view.time))}"
    yield f"rollback      {'possible: virtnodectl rollback' if view.can_roll_back else 'not possible'}"


def plan_text(plan: UpdatePlan) -> str:
    """Lay out what an update would do."""
    return "".join(f"{line}\n" for line in _plan_lines(plan))


def _plan_lines(plan: UpdatePlan) -> Iterator[str]:
    yield f"image       {plan.version} {plan.build_id}, {plan.system}"
    yield f"signed by   {plan.signed_by}"
    yield f"size        {-(-plan.size_bytes >> 20)} MiB"
    yield f"goes to     slot {plan.slot}" + (f", in the place of {plan.replaces}" if plan.replaces else "")
    for change in plan.packages:
        yield f"package     {_package_text(change)}"
    if not plan.packages:
        yield "package     no difference"
    yield from (f"warning     {line}" for line in plan.warnings)
    yield from (f"problem     {line}" for line in plan.problems)


def _package_text(change: PackageChange) -> str:
    if not change.before:
        return f"{change.name} {change.after} is new"
    if not change.after:
        return f"{change.name} {change.before} goes"
    return f"{change.name} {change.before} -> {change.after}"


def _whole(where: str) -> str:
    """Write a path as the agent, which is elsewhere, has to know it."""
    return where if "://" in where else str(Path(where).absolute())
