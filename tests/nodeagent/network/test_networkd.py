"""The real systemd-networkd, in a network of its own, with the units that we write."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from nodeagent.config_url import find_dhcp_url
from nodeagent.intent import BridgeIntent, Match, NetworkIntent, NicIntent
from nodeagent.network.units import network_units
from tests.nodeagent.network.test_units import NETWORKS

NETWORKD = Path("/lib/systemd/systemd-networkd")
PATIENCE = 30.0
"""Seconds for what networkd does in one or two."""
START = """\
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/netif/links /run/systemd/netif/leases &&
chown -R systemd-network: /run/systemd/netif && chmod 755 /run &&
mount --bind "$1" /etc/systemd/network && mount -t sysfs -o ro sysfs /sys &&
ip link set lo up && { ip link add port0 type veth peer name port1 && ip link set port1 up || true; } &&
exec "$2"
"""
"""networkd believes in udev unless /sys is read-only, as in a container."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not NETWORKD.exists(), reason="systemd-networkd is not installed"),
]


class Networkd:
    """A networkd that runs: what it says, and the network that it makes."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def said(self) -> str:
        """Everything that it said so far."""
        return self._log.read_text()

    def ip(self, *words: str) -> Any:  # noqa: ANN401 # what `ip` prints has no type
        """Ask `ip` in that network."""
        argv = ["nsenter", f"--net=/proc/{self._process.pid}/ns/net", "ip", "-json", *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return json.loads(done.stdout or "[]")

    def wait(self, condition: Callable[[], bool]) -> bool:
        """Wait until something holds; False when it does not in time, or networkd ended."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline or self._process.poll() is not None:
                return condition()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.1)
        return True

    @property
    def root(self) -> Path:
        """Its file system, as it sees it."""
        return Path(f"/proc/{self._process.pid}/root")

    @contextmanager
    def dhcp_server(self, folder: Path, *options: str) -> Iterator[None]:
        """Run a DHCP server at the other end of its port."""
        inside = ["nsenter", f"--net=/proc/{self._process.pid}/ns/net"]
        subprocess.run([*inside, "ip", "address", "add", "192.0.2.1/24", "dev", "port1"], check=True)
        argv = [
            *inside,
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--port=0",
            "--user=root",
        ]
        argv += ["--interface=port1", "--bind-interfaces", "--dhcp-range=192.0.2.100,192.0.2.110,1h"]
        argv += [f"--dhcp-leasefile={folder / 'leases'}", f"--pid-file={folder / 'pid'}", *options]
        with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as server:
            try:
                yield
            finally:
                server.terminate()

    def addresses(self, link: str) -> set[str]:
        """List the addresses of a link that others can reach."""
        return {
            f"{address['local']}/{address['prefixlen']}"
            for found in self.ip("address", "show", "dev", link)
            for address in found.get("addr_info", [])
            if address["scope"] == "global"
        }

    def routers(self, *words: str) -> set[str]:
        """List the routers of a family."""
        return {str(route["gateway"]) for route in self.ip(*words, "route", "show", "default")}


@contextmanager
def networkd(network: NetworkIntent, folder: Path) -> Iterator[Networkd]:
    """Start networkd with the units of a network, and with one that it must complain about."""
    units = folder / "units"
    units.mkdir(mode=0o755)
    for unit in network_units(network):
        if not unit.name.endswith(".link"):
            (units / unit.name).write_text(unit.text)
    (units / "99-canary.network").write_text("[Match]\nName=canary\n\n[Network]\nNoSuchKey=1\n")
    log = folder / "said"
    argv: Sequence[str | Path] = ["unshare", "--net", "--mount", "sh", "-c", START, "sh", units, NETWORKD]
    environment = {**os.environ, "SYSTEMD_LOG_LEVEL": "info", "SYSTEMD_LOG_TARGET": "console"}
    with (
        log.open("w") as output,
        subprocess.Popen(
            argv, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        found = Networkd(process, log)
        try:
            if not found.wait(lambda: "Enumeration completed" in found.said):
                pytest.skip(f"networkd does not run here: {found.said[-300:]}")
            yield found
        finally:
            process.terminate()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "nothing"])
def test_networkd_understands_every_line(name: str, tmp_path: Path) -> None:
    """It complains about the canary, so it looked, and about nothing of ours."""
    with networkd(NETWORKS[name], tmp_path) as running:
        lines = running.said.splitlines()
    assert any("Unknown key 'NoSuchKey'" in line for line in lines)
    assert [line for line in lines if line.startswith("/etc/systemd/network/20-virtnode-")] == []


def test_networkd_makes_the_network_that_was_asked_for(tmp_path: Path) -> None:
    """A port in a bridge that has addresses and routers of both families, and a bridge for guests alone."""
    network = NetworkIntent(
        nic=(NicIntent(match=Match(name="port0")),),
        bridge=(
            BridgeIntent(
                name="br0",
                members=("port0",),
                ipv4=("192.0.2.5/24",),
                gateway4="192.0.2.1",
                ipv6=("2001:db8::5/64",),
                gateway6="fe80::1",
                mtu=1400,
            ),
            BridgeIntent(name="guests", ipv4=("203.0.113.1/24",), ipv6="off"),
        ),
    )
    with networkd(network, tmp_path) as running:
        if not running.ip("link", "show", "dev", "port0"):
            pytest.skip("this kernel has no veth")
        assert running.wait(lambda: running.addresses("br0") == {"192.0.2.5/24", "2001:db8::5/64"}), (
            running.said
        )
        assert running.wait(lambda: running.routers("-4") == {"192.0.2.1"}), running.said
        assert running.wait(lambda: running.routers("-6") == {"fe80::1"}), running.said
        assert running.wait(lambda: running.addresses("guests") == {"203.0.113.1/24"}), running.said
        assert running.ip("link", "show", "dev", "port0")[0]["master"] == "br0"
        assert running.ip("link", "show", "dev", "br0")[0]["mtu"] == 1400


@pytest.mark.skipif(shutil.which("dnsmasq") is None, reason="dnsmasq is not installed")
def test_networkd_asks_for_the_url_of_a_configuration(tmp_path: Path) -> None:
    """A server that sends only what it is asked for names it, and we find it in what networkd keeps."""
    network = NetworkIntent(nic=(NicIntent(match=Match(name="port0")),))
    url = "http://192.0.2.1/${mac}.toml"
    with networkd(network, tmp_path) as running:
        if not running.ip("link", "show", "dev", "port0"):
            pytest.skip("this kernel has no veth")
        with running.dhcp_server(tmp_path, f"--dhcp-option=224,{url}"):
            assert running.wait(lambda: bool(running.addresses("port0"))), running.said
            assert running.wait(lambda: find_dhcp_url(running.root) == url), running.said
