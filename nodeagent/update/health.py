"""What must hold before an image is kept: all that held before the update, and nothing failed since."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import Command, read_list, text_of
from nodeagent.health import FAILED_COMMAND
from nodeagent.update.record import Footing
from nodeagent.update.trial import KEPT
from nodelib.ladder import Ladder, Step, StepState

STATE_COMMAND = ("systemctl", "show", "--property=SystemState", "--value")
NOT_YET = ("initializing", "starting")
CHECKED = (Step.LINK, Step.ADDRESS, Step.GATEWAY)
"""Steps of the ladder that must hold again; those after them hang on others as well."""


@dataclass(frozen=True)
class Signs:
    """What is looked at."""

    ladder: Ladder = ()
    failed_units: tuple[str, ...] = ()
    is_starting: bool = False
    libvirt_answers: bool = False
    change_waits: bool = False
    """A change of the configuration waits for its confirmation."""
    problems: tuple[str, ...] = ()
    """Of the configuration: what could not be brought about."""
    is_connected: bool = False
    """The engine answers heartbeats."""
    state_problem: str = ""
    """Why what the node keeps is not there."""


def read_units(command: Command) -> tuple[tuple[str, ...], bool]:
    """Ask the service manager: the units that failed, and whether it is still starting others."""
    units = tuple(filter(None, (text_of(unit, "unit") for unit in read_list(command(FAILED_COMMAND)))))
    return units, command(STATE_COMMAND).strip() in NOT_YET


def make_footing(signs: Signs) -> Footing:
    """Note how the node stands before an update."""
    return Footing(
        rungs=tuple(step.value for step in _holding(signs.ladder)),
        failed_units=signs.failed_units,
        problems=signs.problems,
        engine_was_reachable=signs.is_connected,
    )


def find_missing(signs: Signs, before: Footing) -> tuple[str, ...]:
    """Name what is missing still, one line each; nothing where the image may be kept."""
    return tuple(_missing(signs, before))


def _missing(signs: Signs, before: Footing) -> Iterator[str]:
    if signs.is_starting:
        yield "the system is still starting"
    if signs.state_problem:
        yield f"the state disk cannot be used: {signs.state_problem}"
    if not signs.libvirt_answers:
        yield "libvirt does not answer"
    for unit in signs.failed_units:
        if unit not in before.failed_units:
            yield f"the unit {unit} failed"
    if signs.change_waits:
        yield "a change of the configuration waits for its confirmation"
    for problem in signs.problems:
        if problem not in before.problems:
            yield f"the configuration is not in force: {problem}"
    holding = {step.value for step in _holding(signs.ladder)}
    for name in before.rungs:
        if name not in holding:
            yield f"the network is not as it was: {name}"
    if before.engine_was_reachable and not signs.is_connected:
        yield "the engine, which was reached before, is not"


def _holding(ladder: Ladder) -> Iterator[Step]:
    return (rung.step for rung in ladder if rung.state is StepState.OK and rung.step in CHECKED)


def is_kept(root: Path) -> bool:
    """Tell whether the image of this start was kept already."""
    return (root / KEPT).exists()


def mark_kept(root: Path) -> None:
    """Tell the watch of the trial that it has nothing to do any more."""
    (root / KEPT).parent.mkdir(parents=True, exist_ok=True)
    (root / KEPT).touch()
