"""What can be done about updates: address, plan, confirmation, start; and the way back."""

from collections.abc import Mapping

from nodelib.bus_system import SYSTEM
from nodelib.bus_update import (
    ROLL_BACK,
    UPDATE_PLAN,
    UPDATE_RUN,
    RollBack,
    UpdatePlan,
    UpdateRun,
    UpdateSource,
)
from nodelib.errors import InvalidInput
from nodelib.link import Nothing
from tui.dialogs.editing import EditDialog
from tui.dialogs.update_plan import UpdatePlanDialog
from tui.dialogue import Dialogue
from tui.power import count_guests, stop_too
from tui.texts import say
from tui.update_text import name_images
from tui.widgets.fields import SwitchField, TextField

WHERE, RESTART = "where", "restart"


async def update(dialogue: Dialogue) -> bool:
    """Ask for a bundle, show what it would do, have it confirmed, and begin; false if the person gave up."""
    found: dict[str, UpdatePlan] = {}

    async def check(values: Mapping[str, str]) -> None:
        where = values[WHERE].strip()
        if not where:
            raise InvalidInput([f"{WHERE}: {say('update.where_needed')}"])
        found[where] = await dialogue.ask(UPDATE_PLAN, UpdateSource(where))

    fields = (
        TextField(WHERE, say("update.where"), allowed=say("update.where_allowed")),
        SwitchField(RESTART, say("update.restart"), True, allowed=say("update.restart_allowed")),
    )
    dialog = EditDialog(
        say("update.title"), fields, check, text=say("update.form_text"), save=say("update.show_plan")
    )
    values = await dialogue.show(dialog)
    if values is None:
        return False
    asked = UpdateRun(values[WHERE].strip(), values[RESTART] == "true")
    plan = found[asked.where]
    if not await dialogue.show(UpdatePlanDialog(plan, restart=asked.restart)):
        return False
    return await _confirm_and_begin(dialogue, plan, asked)


async def _confirm_and_begin(dialogue: Dialogue, plan: UpdatePlan, asked: UpdateRun) -> bool:
    async def begin(stop_guests: bool) -> None:
        await dialogue.ask(UPDATE_RUN, UpdateRun(asked.where, asked.restart, stop_guests))

    step = "update.step_now" if asked.restart else "update.step_later"
    lines = [say("update.step_write", slot=plan.slot), say(step), say("update.step_end")]
    if asked.restart:
        lines.append(count_guests((await dialogue.ask(SYSTEM, Nothing())).guests_running))
    else:
        lines.append(say("update.later_note"))
    question = say("update.question", version=plan.version)
    sure = await dialogue.confirm(question, "\n".join(lines), yes=say("update.here"))
    return sure and await stop_too(dialogue, begin)


async def roll_back(dialogue: Dialogue) -> None:
    """Name both images, have it confirmed, and go back."""

    async def begin(stop_guests: bool) -> None:
        await dialogue.ask(ROLL_BACK, RollBack(stop_guests))

    system = await dialogue.ask(SYSTEM, Nothing())
    here, there = name_images(system)
    text = f"{say('update.back_text', here=here, there=there)}\n{count_guests(system.guests_running)}"
    question = say("update.back_question", there=there)
    sure = await dialogue.confirm(question, text, yes=say("update.roll_back"))
    if sure and await stop_too(dialogue, begin):
        await dialogue.tell(say("update.back_sent", there=there))
