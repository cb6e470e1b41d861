"""An archive over HTTP: by its unguessable name alone, for a while, a few times, and then never again."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.downloads import MOST_AT_ONCE, Downloads, usable_addresses
from nodeagent.firewall_port import FirewallPort
from nodelib.errors import Code, VirtnodeError
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.node_trees import NFTABLES

CONTENT = bytes(range(256)) * 1000


@dataclass
class Ports:
    """A firewall that writes down what it is told."""

    calls: list[tuple[str, int]] = field(default_factory=list)
    refuses: bool = False

    def open(self, port: int, seconds: int) -> None:
        """Open a port."""
        if self.refuses:
            raise VirtnodeError(Code.FAILED, "the firewall could not be changed")
        self.calls.append(("open", seconds))

    def close(self) -> None:
        """Close it."""
        self.calls.append(("close", 0))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make the file."""
    path = tmp_path / "virtnode-support-node1.tar.gz"
    path.write_bytes(CONTENT)
    return path


@contextlib.contextmanager
def offered(lifetime: float = 60.0) -> Iterator[tuple[Downloads, Ports]]:
    """Make a place to fetch from, and end it."""
    ports = Ports()
    downloads = Downloads(ports, lifetime=lifetime)
    try:
        yield downloads, ports
    finally:
        downloads.stop()


def fetch(url: str, method: str = "GET") -> bytes:
    """Fetch something."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=20) as answer:
        assert answer.headers["Content-Length"] == str(len(CONTENT))
        assert "virtnode-support-node1.tar.gz" in answer.headers["Content-Disposition"]
        body: bytes = answer.read()
        return body


def is_refused(url: str) -> bool:
    """Tell whether nobody listens any more."""
    try:
        fetch(url)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except (OSError, http.client.HTTPException):
        return True
    return False


def test_the_file_is_fetched_three_times_and_no_more(file: Path) -> None:
    """Whole each time, though it is gone from the disk; then the port is closed."""
    with offered() as (downloads, ports):
        url, seconds = downloads.offer(file, ("127.0.0.1",))
        file.unlink()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[0-9a-f]{32}/virtnode-support-node1\.tar\.gz", url)
        assert (seconds, ports.calls) == (60.0, [("open", 60)])
        assert fetch(url, "HEAD") == b""
        assert [fetch(url) for _ in range(3)] == [CONTENT] * 3
        wait_for(lambda: ports.calls[-1] == ("close", 0))
        assert is_refused(url)


def test_nothing_else_is_served(file: Path) -> None:
    """No listing, no other path, no other method; none of it counts."""
    with offered() as (downloads, ports):
        url, _ = downloads.offer(file, ("127.0.0.1",))
        base = url.rpartition("/")[0]
        root = "/".join(url.split("/")[:3])
        for other in (base, f"{base}/", f"{root}/", f"{root}/etc/passwd", f"{root}/{'0' * 32}/{file.name}",
                      f"{url}/../../etc/passwd", f"{url}?x"):  # fmt: skip
            with pytest.raises(urllib.error.HTTPError) as caught:
                fetch(other)
            assert caught.value.code == 404
            caught.value.close()
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(url, "POST")
        assert caught.value.code == 501
        caught.value.close()
        assert fetch(url) == CONTENT
        assert ports.calls == [("open", 60)]


def test_it_ends_by_itself(file: Path) -> None:
    """After its time nobody listens, whether it was fetched or not."""
    with offered(0.3) as (downloads, ports):
        url, _ = downloads.offer(file, ("127.0.0.1",))
        wait_for(lambda: ("close", 0) in ports.calls)
        assert is_refused(url)


def test_the_next_one_takes_its_place_and_stopping_ends_it(file: Path) -> None:
    """One archive at a time."""
    with offered() as (downloads, ports):
        first, _ = downloads.offer(file, ("127.0.0.1",))
        second, _ = downloads.offer(file, ("127.0.0.1",))
        assert is_refused(first)
        assert fetch(second) == CONTENT
        downloads.stop()
        assert is_refused(second)
        assert [name for name, _ in ports.calls] == ["open", "close"] * 2
        assert not [one for one in threading.enumerate() if one.name == "downloads"]


def test_many_silent_connections_are_bounded(file: Path) -> None:
    """Whoever comes beyond them is sent away, and those who wait are not forgotten."""
    with offered() as (downloads, _), contextlib.ExitStack() as stack:
        url, _ = downloads.offer(file, ("127.0.0.1",))
        port = int(url.split("/")[2].rpartition(":")[2])
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(MOST_AT_ONCE)
        ]
        late = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        late.settimeout(20)
        assert late.recv(1) == b""
        for one in silent:
            one.close()
        wait_for(lambda: not is_refused(url))


def test_every_address_is_served_at_one_port(file: Path) -> None:
    """The first is in the URL; one that is not the node's is passed over, and none at all is an error."""
    with offered() as (downloads, ports):
        url, _ = downloads.offer(file, ("192.0.2.99", "127.0.0.1", "127.0.0.2"))
        assert url.startswith("http://127.0.0.1:")
        assert fetch(url.replace("127.0.0.1", "127.0.0.2")) == CONTENT
        with pytest.raises(VirtnodeError, match="no address") as caught:
            downloads.offer(file, ("192.0.2.99",))
        assert caught.value.code is Code.UNAVAILABLE
        ports.refuses = True
        with pytest.raises(VirtnodeError, match="firewall"):
            downloads.offer(file, ("127.0.0.1",))


def test_addresses_that_others_can_reach_are_chosen() -> None:
    """IPv4 first, and none that means something on one cable alone."""
    found = usable_addresses(("fe80::1/64", "2001:db8::5/64", "192.0.2.5/24", "169.254.1.1/16", "odd"))
    assert found == ("192.0.2.5", "2001:db8::5")


@pytest.fixture
def nft() -> Iterator[tuple[str, ...]]:
    """Make a network namespace with the image's firewall; gives how to run nft in it."""
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as held:
        prefix = ("nsenter", f"--target={held.pid}", "--net", "nft")
        own = Path("/proc/self/ns/net").readlink()
        wait_for(lambda: Path(f"/proc/{held.pid}/ns/net").readlink() != own)
        try:
            subprocess.run([*prefix, "-f", "-"], input=NFTABLES.encode(), check=True)
            yield prefix
        finally:
            assert held.stdin is not None
            held.stdin.close()


def rules_of(nft: tuple[str, ...]) -> str:
    """List the table as nft shows it."""
    return subprocess.run(
        [*nft, "list", "table", "inet", "virtnode"], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.integration
def test_the_firewall_lets_one_port_in_for_a_while(nft: tuple[str, ...]) -> None:
    """One rule however often, an element that the kernel drops by itself, and all as before at the end."""
    before = rules_of(nft)
    port = FirewallPort(nft)
    port.open(40001, 600)
    port.open(40002, 600)
    text = rules_of(nft)
    assert text.count("tcp dport @downloads accept") == 1
    assert "40001" not in text
    assert re.search(r"40002 timeout 10m expires", text)
    port.close()
    assert rules_of(nft) == before
    port.close()
    port.open(40003, 1)
    wait_for(lambda: "40003" not in rules_of(nft))


@pytest.mark.integration
def test_without_a_firewall_of_ours_nothing_is_done(nft: tuple[str, ...]) -> None:
    """Nor where nftables is missing."""
    subprocess.run([*nft, "delete", "table", "inet", "virtnode"], check=True)
    FirewallPort(nft).open(40001, 600)
    FirewallPort(nft).close()
    listing = subprocess.run([*nft, "--json", "list", "ruleset"], capture_output=True, text=True, check=True)
    assert [one for one in json.loads(listing.stdout)["nftables"] if "metainfo" not in one] == []
    FirewallPort(("no-such-program",)).open(40001, 600)


@pytest.mark.integration
def test_a_firewall_that_refuses_is_told(nft: tuple[str, ...]) -> None:
    """With its own words."""
    with pytest.raises(VirtnodeError, match="the firewall could not be changed") as caught:
        FirewallPort(nft).open(99999, 600)
    assert caught.value.code is Code.FAILED
