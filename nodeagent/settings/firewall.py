"""Ports to open beside the image's: the image's own table, with more accepted, loaded in its stead."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

IMAGE_RULES = "etc/nftables.conf"
RULES = "etc/virtnode/firewall.nft"
DROP_IN = "etc/systemd/system/nftables.service.d/50-virtnode.conf"
DROP_IN_TEXT = f"""\
[Service]
ExecStartPost=/usr/sbin/nft -f /{RULES}
ExecReload=/usr/sbin/nft -f /{RULES}
"""
IMAGE_TABLE = "run/virtnode/firewall.nft"
TABLE = "table inet virtnode {"
INPUT = "\tchain input {"


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the table with what the intent opens; nothing of ours if it opens nothing."""
    rules = firewall_rules(tree.text(IMAGE_RULES), intent.firewall.open)
    opened = ", ".join(intent.firewall.open)
    text = f"open ports: {opened or 'those of the image alone'}"
    yield Wanted(RULES, text_file(rules) if opened and rules else ABSENT, text)
    yield Wanted(DROP_IN, text_file(DROP_IN_TEXT) if opened and rules else ABSENT)


def firewall_rules(image_rules: str, ports: Sequence[str]) -> str:
    """Write the image's table with more ports; empty where the image's rules have no such table.

    A verdict of another table could not open what this one drops. The table is replaced in one step, and no
    other table is touched, for libvirt has some of its own.
    """
    _, start, body = image_rules.partition(TABLE)
    head, chain, rest = body.partition(INPUT)
    inside, end, behind = rest.partition("\n\t}")
    if not (start and chain and end):
        return ""
    lines = [
        f"\n\t\t{protocol} dport {number} accept" for number, _, protocol in (p.partition("/") for p in ports)
    ]
    table = f"{TABLE}{head}{INPUT}{inside}{''.join(lines)}{end}{behind}"
    return f"#!/usr/sbin/nft -f\nadd table inet virtnode\ndelete table inet virtnode\n\n{table}"


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that there is nothing to open a port of."""
    if intent.firewall.open and not firewall_rules(tree.text(IMAGE_RULES), intent.firewall.open):
        yield "firewall.open: this image has no table inet virtnode, so there is nothing to open"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Load the table: ours while there is one, else the image's."""
    if any(change.path == DROP_IN for change in changes):
        services.reload_units()
    if tree.exists(RULES):
        services.load_firewall(tree.root / RULES)
    elif rules := firewall_rules(tree.text(IMAGE_RULES), ()):
        # The image's script begins by flushing everything, libvirt's tables too.
        tree.put(IMAGE_TABLE, text_file(rules))
        services.load_firewall(tree.root / IMAGE_TABLE)
    tree.put(IMAGE_TABLE, ABSENT)


SETTING = Setting("firewall", wanted, act, missing)
