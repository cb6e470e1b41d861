"""What ends or resets a node, with the virtual machines counted first and named before they are stopped."""

from collections.abc import Awaitable, Callable, Sequence

from nodelib.bus_system import MAINTENANCE, POWER, SYSTEM, MaintenanceRequest, PowerDeed, PowerRequest
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tui.dialogs.choice import Choice
from tui.dialogue import Dialogue
from tui.texts import say, sentence


async def ask_power(dialogue: Dialogue, others: Sequence[Choice] = ()) -> str | None:
    """Offer what can be done to the machine as a whole, and do it; gives one of `others` if it was chosen."""
    system = await dialogue.ask(SYSTEM, Nothing())
    maintenance = "power.maintenance_off" if system.maintenance else "power.maintenance_on"
    choices = [
        Choice("maintenance", say(maintenance)),
        Choice("reboot", say("power.reboot")),
        Choice("poweroff", say("power.poweroff")),
        *others,
    ]
    chosen = await dialogue.choose(say("power.title"), choices)
    if chosen == "maintenance":
        await dialogue.ask(MAINTENANCE, MaintenanceRequest(not system.maintenance))
        await dialogue.tell(say("power.maintenance_sent"))
    elif chosen in tuple(PowerDeed):
        await end_node(dialogue, PowerDeed(chosen), system.guests_running)
    return chosen if chosen in {choice.value for choice in others} else None


async def end_node(dialogue: Dialogue, deed: PowerDeed, guests: int) -> None:
    """Restart or switch off, once the person knows which virtual machines that stops."""
    # Most sessions end no node, and load nothing for it.
    from nodelib.bus_install import INSTALL_PROGRESS, InstallState

    async def end(stop_guests: bool) -> None:
        await dialogue.ask(POWER, PowerRequest(deed, stop_guests))

    question, yes = say(f"power.confirm_{deed}"), say(f"power.{deed}")
    text = count_guests(guests)
    progress = await dialogue.ask(INSTALL_PROGRESS, Nothing())
    if progress.state is InstallState.RUNNING:
        text += "\n" + say("power.installs", disk=progress.disk, percent=progress.percent)
    if await dialogue.confirm(question, text, yes=yes) and await stop_too(dialogue, end):
        await dialogue.tell(say(f"power.{deed}_sent"))


def count_guests(guests: int) -> str:
    """Say how many virtual machines would be stopped."""
    counted = {0: say("power.guests_none"), 1: say("power.guests_one")}
    return counted.get(guests, say("power.guests_some", count=guests))


async def stop_too(dialogue: Dialogue, end: Callable[[bool], Awaitable[None]]) -> bool:
    """Do what ends a node; the virtual machines that keep it from that are named and asked about first.

    `end` gets whether virtual machines may be stopped. False where the person gave up.
    """
    try:
        await end(False)
    except VirtnodeError as error:
        if error.code is not Code.CONFLICT:
            raise
        text = f"{sentence(error.message)}\n{say('power.stop_text')}"
        if not await dialogue.confirm(say("power.stop_question"), text, yes=say("power.stop")):
            return False
        await end(True)
    return True
