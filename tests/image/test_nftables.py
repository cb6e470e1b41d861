"""The packet filter: golden rules, and the real nft's opinion of them."""

from pathlib import Path

import pytest

from image.chroot import run_in_root
from image.config import Firewall
from image.nftables import ALWAYS, SERVICES, firewall_rules
from tests.conftest import Golden

FIREWALLS = {
    "default": Firewall(services=("ssh",)),
    "more": Firewall(services=("http", "cockpit"), ports=("8080/tcp", "59-69/udp", "9000")),
    "everything": Firewall(services=tuple(SERVICES)),
}


@pytest.mark.parametrize("name", FIREWALLS)
def test_rules_are_as_reviewed(name: str, golden: Golden) -> None:
    """Each firewall command gives the rules in its golden file."""
    golden(f"nftables/{name}.conf", firewall_rules(FIREWALLS[name]))


def test_a_service_is_let_in_once() -> None:
    """Naming what always comes in repeats no rule."""
    rules = firewall_rules(Firewall(services=ALWAYS))
    assert all(rules.count(SERVICES[name]) == 1 for name in ALWAYS)


def test_the_rest_is_refused() -> None:
    """The policy of inbound and forwarded traffic is to drop it."""
    assert firewall_rules(Firewall()).count("policy drop;") == 2


@pytest.mark.integration
@pytest.mark.parametrize("name", FIREWALLS)
def test_nft_accepts_the_rules(name: str, node_tree: Path) -> None:
    """The node's own nft reads the file without loading it."""
    result = run_in_root(
        node_tree, ["nft", "-c", "-f", "/dev/stdin"], stdin=firewall_rules(FIREWALLS[name]), check=False
    )
    if "Operation not supported" in result.stderr or "netlink" in result.stderr:
        pytest.skip(f"this kernel has no nf_tables: {result.stderr.strip()}")
    assert (result.status, result.stderr) == (0, "")
