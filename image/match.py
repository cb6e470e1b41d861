"""What an answer would do to a machine: the rules of the installer, over recorded hardware."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from nodelib.bus_install import SURVEY_SCHEMA, InstallPlan, InstallRequest, Survey
from nodelib.codec import decode, decode_lenient, parse_json
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.install_planning import (
    Answer,
    data_rules,
    find_data_disks,
    find_disk,
    find_mirror,
    make_plan,
    read_wanted,
)
from nodelib.install_rules import describe_disk, read_rule
from nodelib.slots import Region


def match_answer(answer: Path, machine: Path) -> InstallPlan:
    """Plan an unattended installation; raises VirtnodeError where the answer means no one disk."""
    survey = read_survey(machine)
    asked = read_wanted(InstallRequest(), read_answer(answer), "", survey.image_bytes, "")
    disk = find_disk(asked, survey.disks)
    wanted = asked.as_unattended().for_disk(disk)
    present = survey.layouts.get(disk.name, ()) if wanted.keep else ()
    mirror = find_mirror(wanted, survey.disks, disk)
    data = find_data_disks(wanted, survey.disks, disk, mirror)
    plan = make_plan(wanted, disk, present, data, mirror)
    return replace(plan, warnings=(*plan.warnings, *_unknown(plan, survey, present)))


def _unknown(plan: InstallPlan, survey: Survey, present: tuple[Region, ...]) -> Iterator[str]:
    """Say what only the node itself can know, or another medium would change."""
    if survey.image_bytes:
        yield f"the system is taken for one of {survey.image_bytes >> 20} MiB, as that which recorded this"
    else:
        yield "the record lacks the size of a system: whether one fits its slot is known on the node alone"
    if plan.keep and not present:
        yield "the record lacks the partitions that are there: the sizes above are those of a new disk"
    if plan.disk.build:
        yield f"a medium of build {plan.disk.build} leaves {plan.disk.name} as it is"
    if plan.thin or (plan.mirror and not plan.keep):
        yield "whether the system has what thin pools and mirrors need is known on the node alone"


def read_answer(path: Path) -> Answer:
    """Read [install] of a `node.toml`; raises InvalidInput with what is wrong with it."""
    try:
        document = tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput([f"{path}: no TOML: {error}"]) from error
    if "install" not in document:
        raise InvalidInput([f"{path}: it has no table [install]"], "docs/install.md explains its keys")
    try:
        answer = decode(Answer, document["install"])
    except InvalidInput as error:
        raise InvalidInput([f"{path}: install.{problem}" for problem in error.problems]) from error
    for rule in (answer.rule, answer.mirror, *data_rules(answer)):
        if rule:
            read_rule(rule)
    return answer


def read_survey(path: Path) -> Survey:
    """Read what `virtnodectl survey` recorded; raises VirtnodeError (invalid) for anything else."""
    try:
        survey = decode_lenient(Survey, parse_json(_read(path)))
    except VirtnodeError as error:
        raise InvalidInput([f"{path}: no survey of a machine: {error.message.splitlines()[0]}"]) from error
    if survey.schema > SURVEY_SCHEMA:
        raise VirtnodeError(Code.INVALID, f"{path}: it was recorded by a newer system than this")
    return survey


def plan_lines(plan: InstallPlan) -> list[str]:
    """Say in a few lines what would happen."""
    lines = [f"disk      {describe_disk(plan.disk)}"]
    lines += [f"mirror    {describe_disk(plan.mirror)}"] if plan.mirror else []
    lines += [f"data      {describe_disk(one)}" for one in plan.data]
    lines += [f"is lost   {line}" for line in plan.erased]
    lines += [f"will be   {one.name}, {one.size_bytes >> 20} MiB: {one.content}" for one in plan.regions]
    lines += [f"warning   {line}" for line in plan.warnings]
    return lines + [f"problem   {line}" for line in plan.problems]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise VirtnodeError(Code.INVALID, f"{path} cannot be read: {error}") from error
