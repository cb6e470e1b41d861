"""The join ladder of this node, climbed anew at each look: what comes after a failing step waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodeagent.dial import is_address, read_endpoint, read_proxy, resolve
from nodeagent.gateway import GatewayFinder
from nodeagent.ladder_checks import (
    Finding,
    Gateway,
    check_address,
    check_clock,
    check_dns,
    check_gateway,
    check_link,
    check_remote,
    fails,
    holds,
    waits,
)
from nodeagent.progress import REMOTE_STEPS, Progress
from nodelib.errors import VirtnodeError
from nodelib.facts import Nic
from nodelib.ladder import Ladder, Rung, Step, StepState
from nodelib.places import Place, at

Check = Callable[[], Finding]
NO_ENGINE = waits("No engine is set.", at(Place.JOIN))
ABOUT_THE_WAY = (Step.GATEWAY, Step.DNS)


@dataclass(frozen=True)
class Surroundings:
    """What the ladder is climbed with."""

    nics: Sequence[Nic]
    engine: str
    proxy: str
    progress: Progress
    code: str
    now: float
    built_at: float
    """When the image was made; an earlier clock is dead."""


class LadderWatch:
    """Climbs the ladder, and remembers since when each step stands as it does."""

    def __init__(
        self,
        find_gateway: Callable[[str | None], Gateway | None] | None = None,
        resolve: Callable[[str], tuple[str, ...]] = resolve,
    ) -> None:
        self._find_gateway = find_gateway or GatewayFinder().find
        self._resolve = resolve
        self._ladder: Ladder = ()

    @property
    def ladder(self) -> Ladder:
        """The ladder as it was found last."""
        return self._ladder

    def climb(self, around: Surroundings) -> Ladder:
        """Check step by step; may take seconds."""
        findings: dict[Step, Finding] = {}
        blocked = False
        for step, check in self._checks(around):
            if blocked:
                finding = waits("Waits for the steps before.")
            elif step in ABOUT_THE_WAY and around.progress.holds(Step.TCP):
                # Who has a connection needs no proof of the way.
                finding = holds("The engine is reached.")
            else:
                finding = check()
            findings[step] = finding
            blocked = blocked or finding.state is not StepState.OK
        self._ladder = _keep_times(findings, self._ladder, around.now)
        return self._ladder

    def _checks(self, around: Surroundings) -> list[tuple[Step, Check]]:
        host = ""
        wrong: Finding | None = None
        if around.engine:
            try:
                proxy = read_proxy(around.proxy)
                host = (proxy.endpoint if proxy else read_endpoint(around.engine)).host
            except VirtnodeError as error:
                wrong = fails(error.message, error.hint)
        clock = check_clock(around.now, around.built_at, around.progress)

        target = host if host and is_address(host) else None
        checks: list[tuple[Step, Check]] = [
            (Step.LINK, lambda: check_link(around.nics)),
            (Step.ADDRESS, lambda: check_address(around.nics)),
            (Step.GATEWAY, lambda: wrong or check_gateway(self._find_gateway(target))),
            (Step.DNS, lambda: check_dns(host, self._resolve) if host else NO_ENGINE),
            (Step.CLOCK, lambda: clock),
        ]
        return checks + [(step, _remote_check(step, around)) for step in REMOTE_STEPS]


def summary(ladder: Ladder) -> tuple[str, str]:
    """Return the sentence and the hint of the step that the join stands at; empty once all hold."""
    for rung in ladder:
        if rung.state is not StepState.OK:
            return rung.text, rung.hint
    return "", ""


def _remote_check(step: Step, around: Surroundings) -> Check:
    return lambda: check_remote(step, around.progress, code=around.code)


def _keep_times(findings: dict[Step, Finding], before: Ladder, now: float) -> Ladder:
    known = {rung.step: rung for rung in before}
    rungs = []
    for step, finding in findings.items():
        last = known.get(step)
        since = last.since if last is not None and last.state is finding.state else now
        rungs.append(Rung(step, finding.state, finding.text, finding.hint, since))
    return tuple(rungs)
