"""What an answer would do to a machine: the rules of the installer, over recorded hardware."""

import tomllib
from pathlib import Path

from nodelib.bus_install import SURVEY_SCHEMA, InstallPlan, InstallRequest, Survey
from nodelib.codec import decode, decode_lenient, parse_json
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.install_planning import Answer, data_rules, find_data_disks, find_disk, make_plan, read_wanted
from nodelib.install_rules import describe_disk, read_rule


def match_answer(answer: Path, machine: Path) -> InstallPlan:
    """Plan an unattended installation; raises VirtnodeError where the answer means no one disk."""
    wanted = read_wanted(InstallRequest(), read_answer(answer), "", 0, "")
    survey = read_survey(machine)
    disk = find_disk(wanted, survey.disks)
    return make_plan(wanted.as_unattended(), disk, data=find_data_disks(wanted, survey.disks, disk))


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
    for rule in (answer.rule, *data_rules(answer)):
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
