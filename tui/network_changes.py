"""Changes of the network: a form until it is right, the preview, and the application."""

from collections.abc import Mapping
from typing import Any

from nodelib.bus import CONFIG_PLAN, ConfigView, PlanRequest
from nodelib.errors import InvalidInput
from nodelib.facts import Facts
from tui.dialogs.editing import EditDialog
from tui.dialogs.link import LinkDialog
from tui.dialogue import Dialogue
from tui.link_fields import link_fields
from tui.links import (
    Link,
    References,
    Table,
    new_nic_table,
    patch_with,
    split,
    tables_of,
    to_table,
    to_values,
)
from tui.texts import say
from tui.widgets.fields import Field, SecretField, SwitchField, TextField
from tui.widgets.form import look_up, make_patch

MEMBERS = {"bond": ("nic",), "vlan": ("nic", "bond", "bridge"), "bridge": ("nic", "bond", "vlan"), "nic": ()}
"""Kinds of links that a link can be made of."""
NAMES = {
    "hostname": "system.hostname",
    "dns_servers": "dns.servers",
    "dns_search": "dns.search",
    "ntp_servers": "ntp.servers",
}
"""Fields of the names' form and the keys of the configuration that they stand for."""
PROXY = "engine.proxy"


async def change_link(dialogue: Dialogue, link: Link, facts: Facts, view: ConfigView) -> bool:
    """Let a link be changed, or a new one be made; false if the person gave up."""
    references = References(facts, view)
    new = not link.name
    before: Table = dict(link.table)
    if link.kind == "nic" and link.number is None and link.nic is not None:
        before = new_nic_table(link.nic, facts, view)
    elif link.number is None and not new:
        before = {"name": link.name}
    place = len(tables_of(view, link.kind)) if link.number is None else link.number
    names = linkable_names(link, facts, view)

    def patch_of(values: Mapping[str, str]) -> dict[str, Any]:
        return patch_with(view, link.kind, link.number, to_table(values, before, references))

    async def check(values: Mapping[str, str]) -> None:
        try:
            await dialogue.ask(CONFIG_PLAN, PlanRequest(patch_of(values)))
        except InvalidInput as error:
            raise without_prefix(error, f"network.{link.kind}[{place}].") from error

    title = say("network.edit_title", kind=say(f"network.kind_{link.kind}"), name=link.name)
    if new:
        title = say(f"network.new_{link.kind}")
    values = to_values(before, references)
    while True:
        fields = link_fields(link.kind, values, names, new=new)
        typed = await dialogue.show(LinkDialog(title, fields, check, save=say("network.preview")))
        if typed is None:
            return False
        if await dialogue.apply(patch_of(typed)):
            return True
        values = typed


def linkable_names(link: Link, facts: Facts, view: ConfigView) -> list[str]:
    """Name the links that a link can be made of: those that are there, and those that are configured."""
    kinds = MEMBERS[link.kind]
    physical = [nic.name for nic in facts.nics if nic.kind == "physical"] if "nic" in kinds else []
    made = [nic.name for nic in facts.nics if nic.kind in kinds]
    configured = [
        str(table["name"])
        for kind in kinds
        if kind != "nic"
        for table in tables_of(view, kind)
        if table.get("name")
    ]
    return [name for name in dict.fromkeys((*physical, *made, *configured)) if name != link.name]


def without_prefix(error: InvalidInput, prefix: str) -> InvalidInput:
    """Name the keys of one table as its form does."""
    return InvalidInput([problem.removeprefix(prefix) for problem in error.problems], error.hint)


async def change_names(dialogue: Dialogue, view: ConfigView) -> bool:
    """Let host name, DNS, NTP and proxy be changed; false if the person gave up."""

    def patch_of(values: Mapping[str, str]) -> dict[str, Any]:
        return make_patch(names_changes(values, view))

    async def check(values: Mapping[str, str]) -> None:
        await dialogue.ask(CONFIG_PLAN, PlanRequest(patch_of(values)))

    values = {key: _shown(look_up(view.document, key)) for key in NAMES.values()}
    while True:
        title = say("network.names_title")
        dialog = EditDialog(title, names_fields(values, view), check, save=say("network.preview"), view=view)
        typed = await dialogue.show(dialog)
        if typed is None:
            return False
        if await dialogue.apply(patch_of(typed)):
            return True
        values = typed


def names_fields(values: Mapping[str, str], view: ConfigView) -> list[Field]:
    """Make the fields of the names' form."""
    fields: list[Field] = [
        TextField(key, say(f"network.{name}"), values[key], allowed=say(f"network.{name}_allowed"))
        for name, key in NAMES.items()
    ]
    fields.append(SecretField(PROXY, say("network.proxy"), allowed=say("network.proxy_allowed")))
    if look_up(view.document, PROXY):
        fields.append(
            SwitchField("proxy_off", say("network.proxy_off"), allowed=say("network.proxy_off_allowed"))
        )
    return fields


def names_changes(values: Mapping[str, str], view: ConfigView) -> dict[str, Any]:
    """Find what was changed in the names' form: the new value by key, None where it was emptied."""
    changes: dict[str, Any] = {}
    for key in NAMES.values():
        text = values[key].strip()
        if split(text) != split(_shown(look_up(view.document, key))):
            changes[key] = (text if key == NAMES["hostname"] else split(text)) or None
    if values.get("proxy_off") == "true":
        changes[PROXY] = None
    elif values.get(PROXY, "").strip():
        changes[PROXY] = values[PROXY].strip()
    return changes


def _shown(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(str(item) for item in value)
    return str(value or "")
