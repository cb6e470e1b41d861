"""The node's links beside what its configuration says of each, and the patches that change it."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nodelib.bus import ENGINE_ORIGIN, ConfigView
from nodelib.errors import InvalidInput
from nodelib.facts import Facts, Nic
from tui.texts import say

Table: TypeAlias = dict[str, Any]
"""A link's table in the configuration."""

PHYSICAL = "physical"
KIND_OF_FACT = {PHYSICAL: "nic", "bond": "bond", "vlan": "vlan", "bridge": "bridge"}
"""What the configuration calls a kind of link."""
KINDS = tuple(KIND_OF_FACT.values())
MADE = ("bond", "vlan", "bridge")
"""Kinds that people add and remove."""
ADDRESSING = ("ipv4", "gateway4", "ipv6", "gateway6", "dns")
"""What a member of a bond or bridge cannot have."""
STATIC = "static"
METHODS = {"ipv4": ("", "dhcp", STATIC, "off"), "ipv6": ("", "auto", "dhcp", STATIC, "off")}
LISTS = ("dns", "members")
NUMBERS = ("mtu", "id", "miimon")


@dataclass(frozen=True)
class Link:
    """A link that is there, or that the configuration speaks of, or both."""

    name: str
    kind: str
    """nic, bond, vlan, bridge; other for what the configuration has no word for."""
    nic: Nic | None = None
    table: Mapping[str, Any] = field(default_factory=dict)
    number: int | None = None
    """Its place among the tables of its kind; None where the configuration does not speak of it."""


def find_links(facts: Facts, view: ConfigView) -> tuple[Link, ...]:
    """Lay facts and configuration side by side: what is there first, then what is only configured."""
    tables = {kind: tables_of(view, kind) for kind in KINDS}
    used: set[tuple[str, int]] = set()
    links = []
    for nic in facts.nics:
        kind = KIND_OF_FACT.get(nic.kind, "other")
        number = next(
            (number for number, table in enumerate(tables.get(kind, ())) if _is_about(kind, table, nic)), None
        )
        if number is None:
            links.append(Link(nic.name, kind, nic))
        else:
            used.add((kind, number))
            links.append(Link(nic.name, kind, nic, tables[kind][number], number))
    for kind, several in tables.items():
        for number, table in enumerate(several):
            if (kind, number) not in used:
                links.append(Link(table_name(kind, table), kind, None, table, number))
    return tuple(links)


def tables_of(view: ConfigView, kind: str) -> list[Table]:
    """Copy the tables of a kind out of a configuration."""
    return [dict(table) for table in view.document.get("network", {}).get(kind) or ()]


def is_managed(view: ConfigView, kind: str) -> bool:
    """Tell whether the engine decides about a kind of link."""
    return ENGINE_ORIGIN in (view.origins.get(f"network.{kind}"), view.origins.get("network"))


def table_name(kind: str, table: Mapping[str, Any]) -> str:
    """Name the link of a table as people do."""
    if kind == "nic":
        return next((str(value) for value in (table.get("match") or {}).values()), "")
    made = f"{table.get('over')}.{table.get('id')}" if kind == "vlan" else ""
    return str(table.get("name") or made)


def refer_to(nic: Nic, facts: Facts, view: ConfigView) -> str:
    """Refer to a port as the configuration does already, else by what stays the same: MAC, path, name."""
    for table in tables_of(view, "nic"):
        if _is_about("nic", table, nic):
            return table_name("nic", table)
    if nic.kind != PHYSICAL:
        return nic.name
    alike = sum(other.mac == nic.mac and other.kind == PHYSICAL for other in facts.nics)
    # A member of a bond shows the bond's MAC address instead of its own.
    if nic.mac and alike == 1 and not nic.master:
        return nic.mac
    return nic.path or nic.name


def new_nic_table(nic: Nic, facts: Facts, view: ConfigView) -> Table:
    """Begin the table of a port that the configuration does not speak of yet."""
    reference = refer_to(nic, facts, view)
    key = {nic.mac: "mac", nic.path: "path"}.get(reference, "name")
    return {"match": {key: reference}}


class References:
    """Names of ports as people type them, and the references that stand for them in the configuration."""

    def __init__(self, facts: Facts, view: ConfigView) -> None:
        self._of_name = {nic.name: refer_to(nic, facts, view) for nic in facts.nics}
        self._name_of = {reference.lower(): name for name, reference in self._of_name.items()}
        for nic in facts.nics:
            self._name_of.setdefault(nic.path.lower(), nic.name)
            if not nic.master:
                self._name_of.setdefault(nic.mac.lower(), nic.name)

    def name_of(self, reference: str) -> str:
        """Give a port's name; what is unknown stays as it is."""
        return self._name_of.get(reference.lower(), reference)

    def of_name(self, name: str, before: Sequence[str] = ()) -> str:
        """Give the reference of a name: the one that stood there before, if it means the same."""
        for reference in before:
            if self.name_of(reference) == self.name_of(name):
                return reference
        return self._of_name.get(name, name)


def to_values(table: Mapping[str, Any], references: References) -> dict[str, str]:
    """Write a table as what stands in the fields of a form."""
    values = {}
    for key, value in table.items():
        if key in METHODS:
            spelled_out = isinstance(value, list | tuple)
            values[f"{key}_method"] = STATIC if spelled_out else str(value or "")
            values[key] = " ".join(value) if spelled_out else ""
        elif key == "members":
            values[key] = " ".join(references.name_of(member) for member in value)
        elif key == "over":
            values[key] = references.name_of(str(value))
        elif isinstance(value, bool):
            values[key] = "true" if value else "false"
        elif isinstance(value, list | tuple):
            values[key] = " ".join(value)
        elif key != "match":
            values[key] = str(value)
    return values


def to_table(values: Mapping[str, str], before: Mapping[str, Any], references: References) -> Table:
    """Make a table of what stands in a form's fields; raises InvalidInput for what is no value at all."""
    table = dict(before)
    problems: list[str] = []
    for key, text in values.items():
        if key.endswith("_method"):
            continue
        value = _read(key, text.strip(), values, problems)
        if value in ("", None, [], 0, False):
            table.pop(key, None)
        elif key == "members":
            table[key] = [references.of_name(name, before.get(key, ())) for name in value]
        elif key == "over":
            table[key] = references.of_name(value, [str(before.get(key, ""))])
        else:
            table[key] = value
    if problems:
        raise InvalidInput(problems)
    return table


def _read(key: str, text: str, values: Mapping[str, str], problems: list[str]) -> Any:  # noqa: ANN401
    if key in METHODS:
        return _read_addresses(key, text, values.get(f"{key}_method", ""), problems)
    if key in LISTS:
        return split(text)
    if key == "vlan_aware":
        return text == "true"
    if key in NUMBERS and text:
        if not text.isascii() or not text.isdigit():
            problems.append(f"{key}: {say('network.no_number', text=text)}")
            return 0
        return int(text)
    return text


def _read_addresses(key: str, text: str, method: str, problems: list[str]) -> str | list[str]:
    if method != STATIC:
        if text:
            problems.append(f"{key}: {say('network.not_static')}")
        return method
    addresses = split(text)
    if not addresses:
        problems.append(f"{key}: {say('network.no_address')}")
    for address in addresses:
        if "/" not in address and _is_address(address):
            length = "/64" if ":" in address else "/24"
            problems.append(f"{key}: {say('network.no_prefix', address=address, length=length)}")
    return addresses


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def split(text: str) -> list[str]:
    """Split a list that was typed with blanks or commas."""
    return text.replace(",", " ").split()


def patch_with(view: ConfigView, kind: str, number: int | None, table: Table) -> dict[str, Any]:
    """Make the patch that puts a table in its place, or behind the others; members lose their addresses."""
    tables = tables_of(view, kind)
    if number is None:
        tables.append(table)
    else:
        tables[number] = table
    network: dict[str, Any] = {kind: tables}
    if table.get("members"):
        ports = [_freed(port, table["members"]) for port in tables_of(view, "nic")]
        if ports != tables_of(view, "nic"):
            network["nic"] = ports
    return {"network": network}


def patch_without(view: ConfigView, kind: str, number: int) -> dict[str, Any]:
    """Make the patch that takes a table away."""
    tables = tables_of(view, kind)
    del tables[number]
    return {"network": {kind: tables or None}}


def patch_of_reset(view: ConfigView) -> dict[str, Any]:
    """Make the patch that forgets the network that people decided; what the engine decided stays."""
    patch: dict[str, Any] = {}
    for part in ("network", "dns", "ntp"):
        for key in view.document.get(part) or ():
            if ENGINE_ORIGIN not in (view.origins.get(f"{part}.{key}"), view.origins.get(part)):
                patch.setdefault(part, {})[key] = None
    return patch


def _freed(port: Table, members: Sequence[str]) -> Table:
    if table_name("nic", port) not in members:
        return port
    return {key: value for key, value in port.items() if key not in ADDRESSING}


def _is_about(kind: str, table: Mapping[str, Any], nic: Nic) -> bool:
    if kind != "nic":
        return table_name(kind, table) == nic.name
    match = table.get("match") or {}
    same_mac = bool(match.get("mac")) and str(match["mac"]).lower() == nic.mac.lower() and not nic.master
    return same_mac or match.get("name") == nic.name or (bool(nic.path) and match.get("path") == nic.path)
