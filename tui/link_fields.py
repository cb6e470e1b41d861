"""The fields of a link's form, for each kind of link."""

from collections.abc import Mapping, Sequence

from tui.links import METHODS
from tui.texts import say
from tui.widgets.fields import ChoiceField, Field, SwitchField, TextField

BOND_MODES = (
    "active-backup",
    "802.3ad",
    "balance-xor",
    "balance-rr",
    "balance-tlb",
    "balance-alb",
    "broadcast",
)
LACP_RATES = ("", "slow", "fast")
LONGEST_LIST = 120
"""Letters of names that a hint lists before it stops."""


def link_fields(kind: str, values: Mapping[str, str], names: Sequence[str], *, new: bool) -> list[Field]:
    """Make the fields of a link; `names` are the links that it could be made of."""
    fields: list[Field] = []
    if kind == "bond":
        fields = _bond_fields(values, names, new=new)
    elif kind == "vlan":
        fields = _vlan_fields(values, names, new=new)
    elif kind == "bridge":
        fields = _bridge_fields(values, names, new=new)
    return [*fields, *_address_fields(values)]


def _text(key: str, values: Mapping[str, str], **words: object) -> TextField:
    allowed = say(f"network.{key}_allowed", **words)
    return TextField(key, say(f"network.{key}"), values.get(key, ""), allowed=allowed)


def _choice(key: str, values: Mapping[str, str], choices: Sequence[str]) -> ChoiceField:
    texts = [(choice, say(f"network.{key}_{choice or 'default'}")) for choice in choices]
    return ChoiceField(key, say(f"network.{key}"), texts, values.get(key, choices[0]))


def _name_fields(values: Mapping[str, str], *, new: bool) -> list[Field]:
    # A link with another name is another link: what refers to it would be left behind.
    return [_text("name", values)] if new else []


def _bond_fields(values: Mapping[str, str], names: Sequence[str], *, new: bool) -> list[Field]:
    return [
        *_name_fields(values, new=new),
        _text("members", values, names=shortened(names)),
        _choice("mode", values, BOND_MODES),
        _choice("lacp_rate", values, LACP_RATES),
        _text("miimon", values),
    ]


def _vlan_fields(values: Mapping[str, str], names: Sequence[str], *, new: bool) -> list[Field]:
    over = values.get("over", "") or (names[0] if names else "")
    choices = [(name, name) for name in dict.fromkeys((*names, over))]
    return [
        _text("id", values),
        ChoiceField("over", say("network.over"), choices, over),
        *([TextField("name", say("network.name"), allowed=say("network.vlan_name_allowed"))] if new else []),
    ]


def _bridge_fields(values: Mapping[str, str], names: Sequence[str], *, new: bool) -> list[Field]:
    aware = values.get("vlan_aware") == "true"
    return [
        *_name_fields(values, new=new),
        _text("members", values, names=shortened(names)),
        SwitchField(
            "vlan_aware", say("network.vlan_aware"), aware, allowed=say("network.vlan_aware_allowed")
        ),
    ]


def _address_fields(values: Mapping[str, str]) -> list[Field]:
    return [
        _choice("ipv4_method", values, METHODS["ipv4"]),
        _text("ipv4", values),
        _text("gateway4", values),
        _choice("ipv6_method", values, METHODS["ipv6"]),
        _text("ipv6", values),
        _text("gateway6", values),
        _text("dns", values),
        _text("mtu", values),
    ]


def shortened(names: Sequence[str]) -> str:
    """List names, as many as a hint has room for."""
    shown = " ".join(names)
    if len(shown) <= LONGEST_LIST:
        return shown
    return f"{shown[:LONGEST_LIST].rpartition(' ')[0]} ..."
