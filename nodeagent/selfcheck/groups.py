"""The groups of the self-check, in the order in which a person would look."""

import functools
from collections.abc import Callable, Iterable, Mapping

from nodeagent.selfcheck import checks
from nodeagent.selfcheck.evidence import Evidence
from nodelib.bus_support import Check, CheckGroup, SelfCheckReply, Verdict
from nodelib.ladder import Step
from nodelib.places import Place, at

Judge = Callable[[Evidence], Check]
ORDER = (Verdict.SKIPPED, Verdict.OK, Verdict.WARNING, Verdict.FAILED)
"""From what says least to what is worst."""


def _rungs(*steps: Step) -> tuple[Judge, ...]:
    return tuple(functools.partial(checks.check_rung, step=step) for step in steps)


GROUPS: Mapping[str, tuple[Judge, ...]] = {
    "hardware": (checks.check_processor, checks.check_memory, checks.check_clock_chip),
    "virtualisation": (checks.check_kvm, checks.check_libvirt, checks.check_nested, checks.check_iommu),
    "storage": (checks.check_state_disk, checks.check_room, checks.check_read_only),
    "network": _rungs(Step.LINK, Step.ADDRESS, Step.GATEWAY, Step.DNS),
    "time": (checks.check_tracking, checks.check_skew),
    "services": (checks.check_units,),
    "engine": (*_rungs(*list(Step)[list(Step).index(Step.CLOCK) :]), checks.check_certificate),
}


def judge(evidence: Evidence) -> SelfCheckReply:
    """Check everything; without an engine there is nothing to say about one."""
    groups = tuple(_judge_group(name, judges, evidence) for name, judges in GROUPS.items())
    return SelfCheckReply(worst(group.verdict for group in groups), groups)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of some verdicts; of none, that there was nothing to check."""
    return max(verdicts, key=ORDER.index, default=Verdict.SKIPPED)


def _judge_group(name: str, judges: tuple[Judge, ...], evidence: Evidence) -> CheckGroup:
    if name == "engine" and not evidence.known.engine:
        none = checks.skipped("engine", "No engine is set.", at(Place.JOIN))
        return CheckGroup(name, Verdict.SKIPPED, (none,))
    found = tuple(one(evidence) for one in judges)
    return CheckGroup(name, worst(check.verdict for check in found), found)
