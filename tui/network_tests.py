"""Tests of the network that a person asks for: gateway, DNS, engine, any host."""

from collections.abc import Mapping

from nodelib.bus_network import PROBE, Probe, ProbeReply, ProbeRequest
from nodelib.errors import InvalidInput
from tui.dialogs.choice import Choice
from tui.dialogs.editing import EditDialog
from tui.dialogue import Dialogue
from tui.texts import say
from tui.widgets.fields import TextField

WITH_TARGET = (Probe.DNS, Probe.HOST)


async def ask_test(dialogue: Dialogue) -> None:
    """Let a test be chosen, run it, and show what it found."""
    choices = [Choice(probe.value, say(f"network.test_{probe.value}")) for probe in Probe]
    chosen = await dialogue.choose(say("network.test_title"), choices)
    if chosen is not None:
        await run_test(dialogue, Probe(chosen))


async def run_test(dialogue: Dialogue, probe: Probe) -> None:
    """Run a test, and show what it found."""
    target = ""
    if probe in WITH_TARGET:
        typed = await dialogue.show(target_dialog(probe))
        if typed is None:
            return
        target = typed["target"].strip()
    await tell_found(dialogue, await dialogue.ask(PROBE, ProbeRequest(probe, target)))


def target_dialog(probe: Probe) -> EditDialog:
    """Ask what to look up or to reach."""

    async def check(values: Mapping[str, str]) -> None:
        if not values["target"].strip():
            raise InvalidInput([f"target: {say('network.no_target')}"])

    allowed = say(f"network.target_{probe.value}_allowed")
    field = TextField("target", say("network.target"), allowed=allowed)
    return EditDialog(say(f"network.test_{probe.value}"), [field], check, save=say("network.test_run"))


async def tell_found(dialogue: Dialogue, reply: ProbeReply) -> None:
    """Show what a test found: whether it works, in words, and how long it took."""
    took = ""
    if reply.milliseconds is not None:
        took = say("network.took", milliseconds=f"{reply.milliseconds:g}")
    title = say("network.test_ok" if reply.ok else "network.test_failed")
    await dialogue.tell("\n".join(filter(None, (reply.text, took))), reply.hint, title=title)
