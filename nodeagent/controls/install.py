"""The verbs of virtnodectl about installation."""

import argparse
import time
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path

from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodeagent.install.webhook import send_by_http
from nodelib.bus_install import (
    INSTALL_DISKS,
    INSTALL_PLAN,
    INSTALL_PROGRESS,
    INSTALL_RUN,
    SURVEY,
    InstallPlan,
    InstallProgress,
    InstallRequest,
    InstallRun,
    InstallState,
    InstallView,
)
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.install_others import is_leftover
from nodelib.install_rules import describe_disk
from nodelib.link import Nothing

LOOK = 0.5
POST_TIMEOUT = 30.0


def add_install_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    install = verbs.add_parser("install", help="look at what an installation would do, and do it")
    deeds = install.add_subparsers(metavar="DEED", required=True)
    disks = add_verb(deeds, "disks", run_disks, "list the disks, what is on them, and what is in the way")
    disks.add_argument("--json", action="store_true", help="print it as JSON")
    plan = add_verb(deeds, "plan", run_plan, "show exactly what would happen to which disk")
    plan.add_argument("--json", action="store_true", help="print it as JSON")
    start = add_verb(deeds, "run", run_install, "install this system to a disk")
    start.add_argument(
        "--confirm", default="", metavar="TAIL", help="the end of the serial number; with a mirror both"
    )
    for verb in (plan, start):
        verb.add_argument("rule", nargs="?", default="", metavar="RULE", help="a device, or a rule")
        verb.add_argument("--keep", action="store_true", help="keep state and data of the node there")
        verb.add_argument(
            "--wipe", action="append", default=[], metavar="NAME", help="what may be destroyed, by name"
        )
        verb.add_argument(
            "--data", action="append", default=[], metavar="RULE", help="other disks for the volume group"
        )
        verb.add_argument("--thin", action="store_true", help="make a thin pool of the volume group")
        verb.add_argument("--repair", action="store_true", help="make it the second disk of this node")
        verb.add_argument("--mirror", default="", metavar="RULE", help="a second disk that gets the same")
    add_verb(deeds, "status", run_progress, "tell how far an installation is")
    survey = add_verb(verbs, "survey", run_survey, "record this machine's hardware, as JSON")
    survey.add_argument("--save", default="", metavar="FILE", help="write it to a file")
    survey.add_argument("--post", default="", metavar="URL", help="send it to a server")


def run_disks(found: argparse.Namespace, terminal: Terminal) -> None:
    """List the disks."""
    view = terminal.client.call(INSTALL_DISKS, Nothing())
    terminal.say(to_json(view) if found.json else disks_text(view))


def run_plan(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the plan."""
    plan = terminal.client.call(INSTALL_PLAN, _request(found))
    terminal.say(to_json(plan) if found.json else plan_text(plan))


def run_install(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the plan, ask for the confirmation, and follow the installation to its end."""
    request = _request(found)
    plan = terminal.client.call(INSTALL_PLAN, request)
    terminal.say(plan_text(plan))
    if plan.problems:
        raise VirtnodeError(Code.CONFLICT, "this cannot be done", "see the problems above")
    typed = found.confirm
    if not typed:
        terminal.out.write(f"Type {_what(plan)} to begin: ")
        terminal.out.flush()
        typed = terminal.stdin.readline().strip()
    terminal.client.call(INSTALL_RUN, InstallRun(request, plan.id, typed))
    follow(lambda: terminal.client.call(INSTALL_PROGRESS, Nothing()), terminal)


def run_progress(found: argparse.Namespace, terminal: Terminal) -> None:
    """Tell how far it is."""
    terminal.say(progress_line(terminal.client.call(INSTALL_PROGRESS, Nothing())))


def run_survey(found: argparse.Namespace, terminal: Terminal) -> None:
    """Record the hardware."""
    text = to_json(terminal.client.call(SURVEY, Nothing())) + "\n"
    if found.save:
        try:
            Path(found.save).write_text(text)
        except OSError as error:
            raise VirtnodeError(Code.FAILED, f"{found.save} cannot be written: {error.strerror}") from error
    if found.post:
        _post(found.post, text)
    if not found.save and not found.post:
        terminal.say(text)


def follow(
    ask: Callable[[], InstallProgress], terminal: Terminal, pause: Callable[[float], None] = time.sleep
) -> None:
    """Print each new step until the end; raises VirtnodeError (failed) if it was none to be glad of."""
    said = ""
    while True:
        now = ask()
        line = progress_line(now)
        if line != said:
            terminal.say(line)
            terminal.out.flush()
            said = line
        if now.state is InstallState.FAILED:
            raise VirtnodeError(Code.FAILED, now.error, now.hint)
        if now.state is not InstallState.RUNNING:
            return
        pause(LOOK)


def progress_line(progress: InstallProgress) -> str:
    """Say in one line how far an installation is."""
    if progress.state is InstallState.IDLE:
        return progress.step or "no installation is under way"
    if progress.state is InstallState.SUCCEEDED:
        return f"100 %  installed to {progress.disk}; {progress.hint}"
    if progress.state is InstallState.FAILED:
        where = f" at {progress.percent} %, {progress.step}" if progress.step else ""
        return f"failed{where}: {progress.error}{f'; {progress.hint}' if progress.hint else ''}"
    return f"{progress.percent:3} %  {progress.step}"


def disks_text(view: InstallView) -> str:
    """List disks, each with what is on it."""
    lines: list[str] = []
    for disk in view.disks:
        lines.append(describe_disk(disk) + (f", {disk.path}" if disk.path else ""))
        lines += [f"    {line}" for line in disk.holds or ("nothing was found on it",)]
        if disk.installed:
            lines.append(f"    {disk.installed} is installed")
        if disk.unfinished:
            lines.append("    an installation to it began and never ended")
        if disk.mirror:
            lines.append(f"    mirrored: {disk.mirror}")
        lines += [f"    never: {line}" for line in disk.refusals]
        lines += [f"    only with --wipe {name}" for name in disk.treasures if not is_leftover(disk, name)]
    if view.problem:
        lines.append(f"problem: {view.problem}")
    return "".join(f"{line}\n" for line in lines or ["there is no disk"])


def plan_text(plan: InstallPlan) -> str:
    """Lay a plan out: the disk, what is lost, what comes, in which order, and what is in the way."""
    return "".join(f"{line}\n" for line in _plan_lines(plan))


def _plan_lines(plan: InstallPlan) -> Iterator[str]:
    for title, disk in (("disk", plan.disk), ("mirror", plan.mirror)):
        if disk is None:
            continue
        yield f"{title:<11} {describe_disk(disk)}"
        if disk.path:
            yield f"            {disk.path}"
        if disk.last_mounted:
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(disk.last_mounted))
            yield f"            a file system on it was last mounted {when}"
    for title, lines in (
        ("data disks", [describe_disk(one) for one in plan.data]),
        ("is lost", plan.erased),
        ("will be", _regions(plan)),
        ("steps", plan.steps),
    ):
        for number, line in enumerate(lines):
            yield f"{title if not number else '':<11} {line}"
    yield from (f"warning     {line}" for line in plan.warnings)
    yield from (f"problem     {line}" for line in plan.problems)


def _regions(plan: InstallPlan) -> list[str]:
    return [f"{one.name:<15} {one.size_bytes / 2**20:>9.0f} MiB  {one.content}" for one in plan.regions]


def _what(plan: InstallPlan) -> str:
    if plan.mirror is not None:
        return (
            f"{plan.confirmation} (the end of the serial number of {plan.disk.name}, then {plan.mirror.name})"
        )
    kind = "the end of its serial number" if plan.disk.serial else "its name"
    return f"{plan.confirmation} ({kind})"


def _request(found: argparse.Namespace) -> InstallRequest:
    wipe, data = tuple(found.wipe), tuple(found.data)
    return InstallRequest(found.rule, found.keep, wipe, data, found.thin, found.mirror, found.repair)


def _post(url: str, text: str) -> None:
    try:
        send_by_http(url, text.encode(), POST_TIMEOUT)
    except (OSError, ValueError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise VirtnodeError(
            Code.UNAVAILABLE, f"the survey was not taken: {error}", "--save FILE keeps it here"
        ) from error
