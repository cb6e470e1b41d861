"""How a link reads: its row in the table, and the lines of its details."""

from nodelib.bus import ConfigView
from nodelib.facts import Facts, Nic
from tui.links import Link, is_managed
from tui.texts import say
from tui.widgets.form import look_up

ROOMY = 110
"""Columns of a terminal that has room for more columns of the table."""


def column_names(*, roomy: bool) -> list[str]:
    """Name the table's columns."""
    names = ["name", "kind", "link", "address"]
    if roomy:
        names[3:3] = ["mac", "driver"]
    return [say(f"network.column_{name}") for name in names]


def row_of(link: Link, *, roomy: bool) -> list[str]:
    """Write a link as a row."""
    nic = link.nic
    address = first_address(nic) if nic else ""
    row = [link.name, say(f"network.kind_{link.kind}"), link_text(nic), address]
    if roomy:
        row[3:3] = [nic.mac, nic.driver] if nic else ["", ""]
    return row


def first_address(nic: Nic) -> str:
    """Give the address that fits a row best: the first of IPv4; IPv6 addresses stand in the details."""
    short = next((address for address in nic.addresses if ":" not in address), "")
    return short or ("IPv6" if nic.addresses else "")


def link_text(nic: Nic | None) -> str:
    """Say whether a link has a carrier, and how fast it is."""
    if nic is None:
        return say("network.link_absent")
    if not nic.link:
        return say("network.link_down")
    speed = nic.speed_mbps
    if not speed:
        return say("network.link_up")
    short = f"{speed / 1000:g}G" if speed >= 1000 else f"{speed}M"
    return f"{say('network.link_up')} {short}"


def speed_text(speed: int) -> str:
    """Say how fast a link is."""
    if speed >= 1000:
        return say("network.gigabits", speed=f"{speed / 1000:g}")
    return say("network.megabits", speed=speed)


def link_details(link: Link, facts: Facts, view: ConfigView) -> list[tuple[str, str]]:
    """List all that is known of a link."""
    config = (say("network.detail_config"), config_text(link, view))
    if link.nic is None:
        return [(say("network.detail_link"), say("network.detail_absent")), config]
    return [*nic_details(link.nic), *way_details(link.nic, facts, view), config]


def way_details(nic: Nic, facts: Facts, view: ConfigView) -> list[tuple[str, str]]:
    """List what leads out of a link that has addresses, as it is in force: routers, DNS and time servers."""
    if not nic.addresses:
        return []
    time_servers = look_up(view.document, "ntp.servers") or ()
    return [
        (say("network.detail_gateway"), ", ".join(nic.gateways) or say("network.detail_no_addresses")),
        (say("network.detail_dns"), ", ".join(facts.name_servers) or say("network.detail_no_addresses")),
        (say("network.detail_ntp"), ", ".join(time_servers)),
    ]


def nic_details(nic: Nic) -> list[tuple[str, str]]:
    """List what the node has found of a link."""
    state = say("network.link_up" if nic.link else "network.link_down")
    if nic.speed_mbps:
        state = say("network.detail_speed", link=state, speed=speed_text(nic.speed_mbps), mtu=nic.mtu)
    else:
        state = say("network.detail_plain", link=state, mtu=nic.mtu)
    driver = say("network.detail_driver_at", driver=nic.driver, path=nic.path) if nic.path else nic.driver
    heard = nic.lldp
    return [
        (say("network.detail_link"), state),
        (say("network.detail_mac"), nic.mac),
        (say("network.detail_driver"), driver),
        (say("network.detail_master"), nic.master),
        (say("network.detail_addresses"), "\n".join(nic.addresses) or say("network.detail_no_addresses")),
        (say("network.detail_switch"), f"{heard.port}\n{heard.system or heard.chassis}" if heard else ""),
    ]


def config_text(link: Link, view: ConfigView) -> str:
    """Say what the configuration says of a link's addresses."""
    text = say("network.config_none")
    if link.number is not None:
        shown = {}
        for key in ("ipv4", "ipv6"):
            value = link.table.get(key) or say("network.config_default")
            shown[key] = value if isinstance(value, str) else ", ".join(value)
        text = say("network.config_text", **shown)
    if link.kind != "other" and is_managed(view, link.kind):
        text = say("network.config_engine", text=text)
    return text
