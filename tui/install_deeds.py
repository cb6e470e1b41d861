"""What can be done about an installation: options, plan, confirmation, start, and the restart after it."""

from collections.abc import Mapping
from dataclasses import replace

from nodelib.bus_install import (
    INSTALL_PLAN,
    INSTALL_RUN,
    InstallPlan,
    InstallProgress,
    InstallRequest,
    InstallRun,
    InstallView,
)
from nodelib.bus_system import POWER, PowerDeed, PowerRequest
from nodelib.errors import InvalidInput
from nodelib.install_rules import describe_disk
from tui.dialogs.choice import Choice
from tui.dialogs.editing import EditDialog
from tui.dialogs.install_plan import GO_ON, OPTIONS, InstallPlanDialog
from tui.dialogue import Dialogue
from tui.install_text import guarded_by_plan, next_steps
from tui.power import stop_too
from tui.texts import say
from tui.widgets.fields import Field, SwitchField, TextField

KEEP, RULE = "keep", "rule"


async def type_rule(dialogue: Dialogue, current: str) -> str | None:
    """Ask for a rule until it means exactly one disk; None if the person gave up."""

    async def check(values: Mapping[str, str]) -> None:
        rule = values[RULE].strip()
        if not rule:
            raise InvalidInput([f"{RULE}: {say('install.rule_needed')}"])
        await dialogue.ask(INSTALL_PLAN, InstallRequest(rule))

    field = TextField(RULE, say("install.rule"), current, allowed=say("install.rule_allowed"))
    dialog = EditDialog(say("install.by_rule"), [field], check, save=say("install.find"))
    typed = await dialogue.show(dialog)
    return None if typed is None else typed[RULE].strip()


async def choose_mirror(dialogue: Dialogue, name: str, view: InstallView) -> str | None:
    """Ask for the second disk of a node that is installed to the disk of this name; None for none."""
    others = [one for one in view.disks if one.name != name and not one.refusals]
    if not others:
        await dialogue.tell(say("install.no_second"))
        return None
    choices = [Choice(f"/dev/{one.name}", describe_disk(one)) for one in others]
    return await dialogue.choose(say("install.second_title", disk=name), choices)


async def install(dialogue: Dialogue, rule: str, mirror: str = "") -> bool:
    """Show what would happen to the disk, have it confirmed, and begin; false if the person gave up."""
    request = InstallRequest(rule, mirror=mirror)
    plan = await dialogue.ask(INSTALL_PLAN, request)
    options = has_options(plan)
    answer: str | None = OPTIONS if options else None
    while True:
        if answer == OPTIONS:
            changed = await choose_options(dialogue, plan, request)
            if changed is None:
                return False
            request = changed
            plan = await dialogue.ask(INSTALL_PLAN, request)
        answer = await dialogue.show(InstallPlanDialog(plan, options=options))
        if answer == GO_ON:
            return await _confirm_and_begin(dialogue, plan, request)
        if answer != OPTIONS:
            return False


def has_options(plan: InstallPlan) -> bool:
    """Tell whether a person has something to decide about what is on the disk."""
    return plan.may_keep or (bool(guarded_by_plan(plan)) and not plan.disk.refusals)


def option_fields(plan: InstallPlan, request: InstallRequest) -> list[Field]:
    """Offer to keep a node's state and data, and name each thing that may be destroyed."""
    fields: list[Field] = []
    if plan.may_keep:
        fields.append(SwitchField(KEEP, say("install.keep"), plan.keep, allowed=say("install.keep_allowed")))
    for number, name in enumerate(guarded_by_plan(plan)):
        note = say("install.destroy_allowed", name=name)
        on = name in request.wipe
        fields.append(SwitchField(str(number), say("install.destroy"), on, allowed=note))
    return fields


def read_options(plan: InstallPlan, request: InstallRequest, values: Mapping[str, str]) -> InstallRequest:
    """Make a request of what was switched on."""
    names = enumerate(guarded_by_plan(plan))
    wipe = tuple(name for number, name in names if values.get(str(number)) == "true")
    return replace(request, keep=values.get(KEEP) == "true", wipe=wipe)


async def choose_options(
    dialogue: Dialogue, plan: InstallPlan, request: InstallRequest
) -> InstallRequest | None:
    """Ask what stays and what goes; None if the person gave up."""
    title = say("install.options_title", disk=plan.disk.name)
    dialog = EditDialog(
        title,
        option_fields(plan, request),
        text=say("install.options_text"),
        save=say("install.show_plan"),
    )
    values = await dialogue.show(dialog)
    return None if values is None else read_options(plan, request, values)


async def offer_restart(dialogue: Dialogue, progress: InstallProgress) -> None:
    """Say that it is done and what comes next, and restart if the person says so."""

    async def end(stop_guests: bool) -> None:
        await dialogue.ask(POWER, PowerRequest(PowerDeed.REBOOT, stop_guests))

    title, yes = say("install.done_title", disk=progress.disk), say("power.reboot")
    if await dialogue.confirm(
        title, next_steps(progress), yes=yes, no=say("install.later")
    ) and await stop_too(dialogue, end):
        await dialogue.tell(say("power.reboot_sent"))


async def _confirm_and_begin(dialogue: Dialogue, plan: InstallPlan, request: InstallRequest) -> bool:
    disk = plan.disk
    second = plan.mirror
    names = ", ".join(one.name for one in (disk, *((second,) if second else ()), *plan.data))
    lost = say("install.confirm_keep" if plan.keep else "install.confirm_erase", disk=names)
    which = say("install.confirm_serial" if disk.serial else "install.confirm_name", serial=disk.serial)
    if second is not None:
        serials = {"first": disk.serial or disk.name, "second": second.serial or second.name}
        which = say("install.confirm_serials", **serials)
    question = say("install.confirm_question", disk=disk.name)
    if not await dialogue.confirm_typed(question, f"{lost}\n{which}", plan.confirmation):
        return False
    await dialogue.ask(INSTALL_RUN, InstallRun(request, plan.id, plan.confirmation))
    return True
