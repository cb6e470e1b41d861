"""The verbs of virtnodectl about the machine as a whole."""

import argparse

from nodeagent.controls.terminal import Terminal, Verbs, add_verb
from nodelib.bus_system import (
    CHOICES,
    FACTORY_RESET,
    MAINTENANCE,
    METERS,
    POWER,
    SYSTEM,
    MaintenanceRequest,
    Meters,
    PowerDeed,
    PowerRequest,
    ResetRequest,
    System,
)
from nodelib.codec import to_json
from nodelib.link import Nothing

DEEDS = {"reboot": PowerDeed.REBOOT, "off": PowerDeed.POWEROFF}
GUESTS_HELP = "shut running virtual machines down first; without it nothing is done while some run"
MIB = 1 << 20
GROUPS = ("keymaps", "timezones")
MAINTENANCE_DETAILS = "The engine decides: the node must be joined and connected."
RESET_DETAILS = """\
Everything that was decided on this node goes: configuration, identity, keys, password, events. It restarts
and is as new. An engine lists it until somebody removes it there. Only the state disk is emptied, no other.
"""


def add_system_verbs(verbs: Verbs) -> None:
    """Describe the verbs."""
    system = add_verb(
        verbs, "system", run_system, "show what this node runs, where it started from, its slots"
    )
    meters = add_verb(verbs, "meters", run_meters, "show how busy this node is")
    for verb in (system, meters):
        verb.add_argument("--json", action="store_true", help="print it as JSON")
    choices = add_verb(verbs, "choices", run_choices, "list the keyboard layouts or time zones of this image")
    choices.add_argument("group", choices=GROUPS, help="which of them")
    power = add_verb(verbs, "power", run_power, "restart this node, or switch it off")
    power.add_argument("deed", choices=tuple(DEEDS), help="reboot or off")
    power.add_argument("--stop-guests", action="store_true", help=GUESTS_HELP)
    maintenance = add_verb(
        verbs, "maintenance", run_maintenance, "ask the engine for maintenance, or to end it"
    )
    maintenance.add_argument("wanted", choices=("on", "off"), help="on or off")
    maintenance.epilog = MAINTENANCE_DETAILS
    reset = add_verb(
        verbs, "reset", run_reset, "forget everything that was decided on this node, and restart"
    )
    reset.add_argument(
        "--confirm", required=True, metavar="HOSTNAME", help="this host's name, as a safeguard"
    )
    reset.add_argument("--stop-guests", action="store_true", help=GUESTS_HELP)
    reset.epilog = RESET_DETAILS


def run_system(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the system."""
    system = terminal.client.call(SYSTEM, Nothing())
    terminal.say(to_json(system) if found.json else system_text(system))


def system_text(system: System) -> str:
    """Lay the system out for a person."""
    rows = [
        ("product", f"{system.product} {system.build_id}".strip()),
        ("kernel", system.kernel),
        ("started from", system.booted_from or "not known"),
        ("state", "lost at the next start" if system.stateless else "kept on the state disk"),
        *[(f"slot {slot.name}", _slot_text(slot.version, slot.device, slot.booted)) for slot in system.slots],
        ("keyboard", system.keymap or "the kernel's"),
        ("time zone", system.timezone or "UTC"),
        ("maintenance", "yes" if system.maintenance else "no"),
        ("guests", f"{system.guests_running} running"),
    ]
    return _lay_out(rows)


def run_meters(found: argparse.Namespace, terminal: Terminal) -> None:
    """Show the meters."""
    meters = terminal.client.call(METERS, Nothing())
    terminal.say(to_json(meters) if found.json else meters_text(meters))


def meters_text(meters: Meters) -> str:
    """Lay the meters out for a person."""
    used, total = meters.memory_used_bytes // MIB, meters.memory_total_bytes // MIB
    rows = [
        ("up", f"{meters.uptime / 3600:.1f} h"),
        ("processors", f"{meters.cpu_percent:g} %, load {meters.load:g}"),
        ("memory", f"{used} of {total} MiB"),
        *[
            (one.name, f"{one.received / 1000:.1f} kB/s in, {one.sent / 1000:.1f} kB/s out")
            for one in meters.links
        ],
        *[
            (f"{one.name} store", f"{one.used_bytes // MIB} of {one.size_bytes // MIB} MiB")
            for one in meters.storage
        ],
        ("guests", f"{meters.guests_running} running"),
    ]
    return _lay_out(rows)


def run_choices(found: argparse.Namespace, terminal: Terminal) -> None:
    """List what a setting can be."""
    reply = terminal.client.call(CHOICES, Nothing())
    terminal.say("\n".join(reply.keymaps if found.group == "keymaps" else reply.timezones))


def run_power(found: argparse.Namespace, terminal: Terminal) -> None:
    """Restart or switch off."""
    terminal.client.call(POWER, PowerRequest(DEEDS[found.deed], found.stop_guests))
    terminal.say("restarting" if found.deed == "reboot" else "switching off")


def run_maintenance(found: argparse.Namespace, terminal: Terminal) -> None:
    """Ask for maintenance, or to end it."""
    terminal.client.call(MAINTENANCE, MaintenanceRequest(found.wanted == "on"))
    terminal.say(f"maintenance is {found.wanted}")


def run_reset(found: argparse.Namespace, terminal: Terminal) -> None:
    """Forget everything."""
    terminal.client.call(FACTORY_RESET, ResetRequest(found.confirm, found.stop_guests))
    terminal.say("restarting; everything is forgotten at the start")


def _slot_text(version: str, device: str, booted: bool) -> str:
    words = [version or "version not known", f"on {device}", "runs now" if booted else ""]
    return ", ".join(filter(None, words))


def _lay_out(rows: list[tuple[str, str]]) -> str:
    return "".join(f"{name:<14} {value}\n" for name, value in rows)
