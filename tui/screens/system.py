"""The system screen: keyboard, time zone, versions, slots and updates, and how the node ends."""

import dataclasses
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from nodelib.bus import CONFIG_SHOW
from nodelib.bus_system import (
    CHOICES,
    FACTORY_RESET,
    MAINTENANCE,
    SYSTEM,
    ChoicesReply,
    MaintenanceRequest,
    PowerDeed,
    ResetRequest,
    Slot,
    System,
)
from nodelib.bus_update import UPDATE_VIEW, UpdateView
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tui import update_deeds
from tui.dialogue import Dialogue
from tui.page import Page, deed
from tui.power import count_guests, end_node, stop_too
from tui.texts import say
from tui.update_text import UNDER_WAY, view_text
from tui.widgets.fields import ChoiceField
from tui.widgets.line import Line
from tui.widgets.pair import Pair
from tui.widgets.press import Press
from tui.widgets.settings_form import SettingsForm

PAIRS = ("product", "build", "kernel", "booted", "kept", "slots", "update", "maintenance")

FOR_SLOTS = ("update", "roll_back")
"""Actions that need a slot beside the one that runs."""


class SystemPage(Page):
    """Two settings, what runs, another image and the way back, four ways to end it."""

    KEY = "system"
    SETTINGS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "update", "update.here", show=False),
        Binding("b", "roll_back", "update.roll_back", show=False),
        Binding("r", "end('reboot')", "power.reboot"),
        Binding("o", "end('poweroff')", "power.poweroff"),
        Binding("m", "maintain", "power.maintenance_on"),
        Binding("f", "reset", "system.reset", show=False),
    ]
    DEEDS = (
        ("edit('system.keymap')", "system.keymap"),
        ("edit('system.timezone')", "system.timezone"),
        ("save", "find.save_system"),
    )
    DEFAULT_CSS = """
    SystemPage .row { height: 1; margin-bottom: 1; }
    SystemPage #updates { margin-top: 1; }
    """

    def __init__(self, dialogue: Dialogue) -> None:
        super().__init__(dialogue)
        self._choices = ChoicesReply()
        self._newest: UpdateView | None = None
        """How the newest update stands; None where the agent cannot say."""
        self._polling = False
        self._has_slots = True
        """As long as nobody knows better: an image can be put beside the one that runs."""

    @property
    def key_table(self) -> dict[str, Binding]:
        """The page's keys; two are shown only where there are slots, since nothing comes of them without."""
        return {
            key: dataclasses.replace(binding, show=self._has_slots)
            if binding.action in FOR_SLOTS
            else binding
            for key, binding in super().key_table.items()
        }

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield SettingsForm(
            ChoiceField("system.keymap", say("system.keymap"), []),
            Line(say("system.keymap_none"), id="no-keymaps", classes="hint"),
            ChoiceField("system.timezone", say("system.timezone"), []),
            Line(say("system.timezone_none"), id="no-timezones", classes="hint"),
        )
        with Horizontal(classes="row"):
            yield Press(say("system.save"), "save")
        for name in PAIRS:
            yield Pair(say(f"system.{name}"), id=name)
        with Horizontal(id="updates", classes="row"):
            yield Press(say("update.here"), "update")
            yield Press(say("update.roll_back"), "roll_back")
        with Horizontal(classes="row"):
            yield Press(say("power.maintenance_on"), "maintain")
            yield Press(say("power.reboot"), "reboot")
            yield Press(say("power.poweroff"), "poweroff")
        yield Press(say("system.reset"), "reset")

    def on_mount(self) -> None:
        """Look how an update goes on for as long as somebody sees the page."""
        self._show_update()
        self.set_interval(self.dialogue.look.meters_every, self.poll)

    async def load(self) -> None:
        """Show what runs and how it is set."""
        system = await self.ask(SYSTEM, Nothing())
        self._has_slots = bool(system.slots)
        self.refresh_bindings()
        self._choices = await self.ask(CHOICES, Nothing())
        view = await self.ask(CONFIG_SHOW, Nothing())
        form = self.query_one(SettingsForm)
        form.manage(view)
        form.fill({"system.keymap": system.keymap, "system.timezone": system.timezone})
        self._offer(self._choices)
        for name, text in describe(system).items():
            self.query_one(f"#{name}", Pair).show(text)
        await self._ask_update()

    def on_press_pressed(self, event: Press.Pressed) -> None:
        """Do what a button says."""
        match event.name:
            case "save":
                self.action_save()
            case "maintain":
                self.action_maintain()
            case "update" | "roll_back" | "reset":
                getattr(self, f"action_{event.name}")()
            case _:
                self.action_end(event.name)

    @deed
    async def action_save(self) -> None:
        """Apply what was chosen."""
        await self.query_one(SettingsForm).save(self.dialogue)
        self._offer(self._choices)

    @deed
    async def action_update(self) -> None:
        """Bring another image."""
        view = await self.ask(UPDATE_VIEW, Nothing())
        if view.state in UNDER_WAY:
            await self.dialogue.tell(say("update.busy", version=view.version))
        elif await update_deeds.update(self.dialogue):
            await self._ask_update()

    @deed
    async def action_roll_back(self) -> None:
        """Go back to the image before."""
        view = await self.ask(UPDATE_VIEW, Nothing())
        if view.can_roll_back:
            await update_deeds.roll_back(self.dialogue)
            await self.load()
        else:
            await self.dialogue.tell(say("update.no_way_back"), say("update.no_way_back_hint"))

    def poll(self) -> None:
        """Look how the newest update stands, if somebody sees it."""
        if self.display and self._newest is not None and not self._polling:
            self.run_worker(self._poll(), group="poll")

    def action_end(self, how: str) -> None:
        """Restart or switch off."""
        self.do(self._end(PowerDeed(how)))

    @deed
    async def action_maintain(self) -> None:
        """Ask the engine for maintenance, or for its end."""
        system = await self.ask(SYSTEM, Nothing())
        key = "system.maintenance_end" if system.maintenance else "system.maintenance"
        question = key if system.maintenance else "system.maintenance_question"
        yes = say("power.maintenance_off" if system.maintenance else "power.maintenance_on")
        if await self.dialogue.confirm(say(question), say(f"{key}_text"), yes=yes):
            await self.ask(MAINTENANCE, MaintenanceRequest(not system.maintenance))
            await self.dialogue.tell(say("power.maintenance_sent"))
            await self.load()

    @deed
    async def action_reset(self) -> None:
        """Forget everything, once the host name was typed."""
        hostname = self.seen.status.hostname
        if not hostname:
            await self.dialogue.tell(say("system.no_hostname"))
            return
        system = await self.ask(SYSTEM, Nothing())
        text = f"{say('system.reset_text')}\n{count_guests(system.guests_running)}"

        async def reset(stop_guests: bool) -> None:
            await self.ask(FACTORY_RESET, ResetRequest(hostname, stop_guests))

        question = say("system.reset_question", hostname=hostname)
        sure = await self.dialogue.confirm_typed(question, text, hostname)
        if sure and await stop_too(self.dialogue, reset):
            await self.dialogue.tell(say("system.reset_sent"))

    async def _poll(self) -> None:
        self._polling = True
        before = self._newest
        try:
            await self._ask_update()
            if before is not None and self._newest is not None and before.state is not self._newest.state:
                system = await self.dialogue.listen(SYSTEM, Nothing())
                for name, text in describe(system).items():
                    self.query_one(f"#{name}", Pair).show(text)
        except VirtnodeError:
            # The frame's banner says that the agent does not answer; it is asked again.
            return
        finally:
            self._polling = False

    async def _ask_update(self) -> None:
        """Ask how the newest update stands: an agent that knows none leaves the rest of the page alone."""
        try:
            self._newest = await self.dialogue.listen(UPDATE_VIEW, Nothing())
        except VirtnodeError as error:
            if error.code is Code.UNAVAILABLE:
                return
            self._newest = None
        self._show_update()

    def _show_update(self) -> None:
        view = self._newest
        self.query_one("#update", Pair).show(view_text(view) if view else "")
        for press in self.query("#updates Press").results(Press):
            offers = view is not None and (press.name == "update" or view.can_roll_back)
            press.display = offers and self._has_slots

    async def _end(self, how: PowerDeed) -> None:
        system = await self.ask(SYSTEM, Nothing())
        await end_node(self.dialogue, how, system.guests_running)

    def _offer(self, choices: ChoicesReply) -> None:
        """Let be chosen what the image has; where it has no list, say so."""
        offers = {
            "system.keymap": ("#no-keymaps", choices.keymaps),
            "system.timezone": ("#no-timezones", choices.timezones),
        }
        for key, (place, values) in offers.items():
            field = self.query_one(SettingsForm).fields[key]
            assert isinstance(field, ChoiceField)
            field.choices = [(value, value) for value in values]
            field.disabled = field.managed or not values
            self.query_one(place).display = not values


def describe(system: System) -> dict[str, str]:
    """Say in words what runs and how it is set, by the pair that shows it."""
    return {
        "product": system.product,
        "build": system.build_id,
        "kernel": system.kernel,
        "booted": system.booted_from,
        "kept": say("system.kept_no" if system.stateless else "system.kept_yes"),
        "slots": "\n".join(map(describe_slot, system.slots)) or say("system.no_slots"),
        "maintenance": say("system.maintenance_yes" if system.maintenance else "system.maintenance_no"),
    }


def describe_slot(slot: Slot) -> str:
    """Say what is in a slot."""
    parts = [slot.version or say("system.slot_empty"), slot.device]
    if slot.booted:
        parts.append(say("system.slot_booted"))
    return f"{say('system.slot', name=slot.name)}: {', '.join(filter(None, parts))}"
