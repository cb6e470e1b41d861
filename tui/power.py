"""The power dialog: restart, switch off, maintenance, with the virtual machines counted first."""

from nodelib.bus_system import MAINTENANCE, POWER, SYSTEM, MaintenanceRequest, PowerDeed, PowerRequest
from nodelib.link import Nothing
from tui.dialogs.choice import Choice
from tui.dialogue import Dialogue
from tui.texts import say


async def ask_power(dialogue: Dialogue) -> None:
    """Offer what can be done to the machine as a whole, and do it."""
    system = await dialogue.ask(SYSTEM, Nothing())
    maintenance = "power.maintenance_off" if system.maintenance else "power.maintenance_on"
    choices = [
        Choice("maintenance", say(maintenance)),
        Choice("reboot", say("power.reboot")),
        Choice("poweroff", say("power.poweroff")),
    ]
    chosen = await dialogue.choose(say("power.title"), choices)
    if chosen == "maintenance":
        await dialogue.ask(MAINTENANCE, MaintenanceRequest(not system.maintenance))
        await dialogue.tell(say("power.maintenance_sent"))
    elif chosen is not None:
        await end_node(dialogue, PowerDeed(chosen), system.guests_running)


async def end_node(dialogue: Dialogue, deed: PowerDeed, guests: int) -> None:
    """Restart or switch off, once the person knows which virtual machines that stops."""
    counted = {0: say("power.guests_none"), 1: say("power.guests_one")}
    text = counted.get(guests, say("power.guests_some", count=guests))
    if await dialogue.confirm(say(f"power.confirm_{deed}"), text, yes=say(f"power.{deed}")):
        await dialogue.ask(POWER, PowerRequest(deed, stop_guests=guests > 0))
        await dialogue.tell(say(f"power.{deed}_sent"))
