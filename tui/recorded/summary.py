"""What a node says of a change of its configuration before it is made: the lines of the preview."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from nodelib.facts import Nic

Document: TypeAlias = Mapping[str, Any]
PORTS = {"nic": (), "bond": ("members",), "vlan": ("over",), "bridge": ("members",)}
"""Kinds of links in a node's order, and where each names what it is made of."""
FILES = {"device": "netdev", "link": "network"}
"""How a node's files about a link end."""
QUIET = ("engine.address", "engine.ca", "engine.token", "engine.proxy", "access.idle_lock")
SECRETS = ("engine.token", "engine.proxy")


def summarise(before: Document, after: Document, nics: Sequence[Nic]) -> tuple[str, ...]:
    """Say what differs between two configurations, line by line, in the order in which a node does it."""
    old, new = wanted_lines(before, nics), wanted_lines(after, nics)
    lines = [text for key, text in new.items() if text and old.get(key, "") != text]
    # A link that is there no more is told in the order of its files.
    names = names_by_mac(nics)
    gone = [(*key.split(" "),) for key in old if key not in new]
    for what, reference in sorted(gone, key=lambda link: f"{link[1].replace(':', '')}.{FILES[link[0]]}"):
        told = "removed" if what == "device" else "as the image has it"
        lines.append(f"{names.get(reference, reference)}: {told}")
    return (*lines, *_quiet(before, after))


def wanted_lines(document: Document, nics: Sequence[Nic]) -> dict[str, str]:
    """Say what a configuration asks for, each line by a key of its own."""
    system, dns = document.get("system", {}), document.get("dns", {})
    name = system.get("hostname", "")
    servers, search = dns.get("servers", ()), dns.get("search", ())
    searched = f"search {', '.join(search)}" if search else ""
    told = "; ".join(filter(None, (", ".join(servers), searched)))
    times = ", ".join(document.get("ntp", {}).get("servers", ()))
    keys = len(document.get("access", {}).get("ssh_keys", ()))
    initiator = document.get("storage", {}).get("initiator", "")
    return {
        "hostname": f"host name {name}" if name else "host name as the image has it",
        "hosts": f"hosts: {name} is this machine" if name else "hosts as the image has it",
        "timezone": f"time zone {system.get('timezone') or 'as the image has it'}",
        "keymap": f"keyboard layout {system.get('keymap') or 'as the image has it'}",
        "dns": f"name servers {told or 'of the links alone'}",
        "ntp": f"time servers {times or 'of the image alone'}",
        "keys": f"{keys} SSH {'key' if keys == 1 else 'keys'} may log in"
        if keys
        else "no SSH key may log in but those of the image",
        "ssh": _ssh(document.get("access", {}).get("ssh", "image")),
        "initiator": f"iSCSI initiator {initiator or 'as the image has it'}",
        **dict(_links(document.get("network", {}), nics)),
    }


def _ssh(choice: str) -> str:
    automatic = "SSH while something is wrong with the node"
    return {"on": "SSH on", "off": "SSH off", "automatic": automatic}.get(choice, "SSH as the image has it")


def names_by_mac(nics: Sequence[Nic]) -> Mapping[str, str]:
    """Name each port beside its MAC address."""
    return {nic.mac: f"{nic.name} ({nic.mac})" for nic in nics if nic.kind == "physical"}


def _links(network: Document, nics: Sequence[Nic]) -> Iterator[tuple[str, str]]:
    """Say what each link is, and which addresses it has."""
    names = names_by_mac(nics)
    masters = {
        member: str(table["name"])
        for kind in ("bond", "bridge")
        for table in network.get(kind, ())
        for member in table.get("members", ())
    }
    told = set()
    for kind in PORTS:
        for table in network.get(kind, ()):
            reference = _reference(kind, table)
            told.add(reference)
            shown = names.get(reference, reference)
            if kind != "nic":
                yield f"device {reference}", f"{shown}: {_device(kind, table, names)}"
            master = masters.get(reference)
            text = f"member of {master}" if master else _addresses(table)
            mtu = f", MTU {table['mtu']}" if table.get("mtu") else ""
            yield f"link {reference}", f"{shown}: {text}{mtu}"
    for member, master in masters.items():
        if member not in told:
            shown = names.get(member, member)
            yield f"link {member}", f"{shown}: member of {master}"


def _reference(kind: str, table: Document) -> str:
    if kind == "nic":
        return next((str(value) for value in table.get("match", {}).values()), "")
    return str(table.get("name") or f"{table.get('over')}.{table.get('id')}")


def _device(kind: str, table: Document, names: Mapping[str, str]) -> str:
    members = ", ".join(names.get(member, member) for member in table.get("members", ()))
    if kind == "vlan":
        over = str(table.get("over", ""))
        return f"VLAN {table.get('id')} over {names.get(over, over)}"
    if kind == "bond":
        return f"bond ({table.get('mode', 'active-backup')}) of {members}"
    return f"bridge of {members or 'guests alone'}"


def _addresses(table: Document) -> str:
    words = []
    for family, default in (("ipv4", "dhcp"), ("ipv6", "auto")):
        value = table.get(family) or default
        shown = value if isinstance(value, str) else ", ".join(value)
        gateway = table.get(f"gateway{family[-1]}", "")
        words.append(f"{family} {shown}{f' via {gateway}' if gateway else ''}")
    return ", ".join(words)


def _quiet(before: Document, after: Document) -> Iterator[str]:
    """Tell of keys that change no file."""
    for key in QUIET:
        table, _, name = key.partition(".")
        old, new = (document.get(table, {}).get(name) or "" for document in (before, after))
        if old != new:
            shown = ", ".join(new) if isinstance(new, list | tuple) else str(new)
            yield f"{key}: {('(hidden)' if key in SECRETS and new else shown) or 'none'}"
