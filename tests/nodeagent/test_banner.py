"""The banner above the login prompt."""

import dataclasses
import json
import socket
from pathlib import Path

import pytest

from nodeagent.banner import (
    ISSUE,
    STATUS,
    Banner,
    banner_text,
    collect_banner,
    collect_engine,
    collect_fingerprints,
    engine_lines,
    is_socket,
    parse_addresses,
    read_product,
    write_banner,
)
from nodeagent.status import write_status
from nodelib.bus import Status
from nodelib.run import run
from tests.conftest import Golden
from tests.image.trees import make_tree

COMPLETE = Banner(
    product="virtnode 0.1.0 (Debian GNU/Linux 13)",
    hostname="node1.example.invalid",
    addresses=("eth0: 192.0.2.5/24, 2001:db8::5/64", "br0: 198.51.100.7/24"),
    fingerprints=("ED25519 SHA256:abc", "RSA SHA256:def"),
    kvm=True,
    libvirt=True,
)

WAITING = Status(
    engine="engine.example.org:7443",
    state="pending",
    approval_code="ABCDE-12345",
    fingerprint=f"SHA256:{'ab' * 32}",
)


def test_the_banner_is_as_reviewed(golden: Golden) -> None:
    """Everything there is to know, and a machine that knows nothing yet."""
    golden("banner/complete.txt", banner_text(COMPLETE))
    golden("banner/bare.txt", banner_text(Banner("virtnode", "localhost", (), (), kvm=False, libvirt=False)))


def test_the_engine_is_on_the_banner(golden: Golden) -> None:
    """What a person compares while the node waits for approval, and how it stands otherwise."""
    status = dataclasses.replace(WAITING, engine="engine.example.org")
    waiting = dataclasses.replace(COMPLETE, engine=engine_lines(status))
    golden("banner/pending.txt", banner_text(waiting))
    up = dataclasses.replace(status, state="up", connected=True, name="node1")
    golden("banner/joined.txt", banner_text(dataclasses.replace(COMPLETE, engine=engine_lines(up))))
    lost = dataclasses.replace(status, state="", ladder="The gateway 192.0.2.1 on eth0 does not answer.")
    assert engine_lines(lost)[1].startswith("The gateway")
    assert engine_lines(Status()) == ("none: log in and run virtnodectl join",)


def test_the_whole_fingerprint_fits() -> None:
    """All 64 digits are on the screen while the node waits for approval."""
    lines = engine_lines(WAITING)
    text = banner_text(dataclasses.replace(COMPLETE, engine=lines))
    assert text.replace(" ", "").replace("\n", "").find("ab" * 32) > 0


def test_a_broken_status_is_no_status(tmp_path: Path) -> None:
    """The banner appears whatever the agent left."""
    assert collect_engine(tmp_path) == ()
    make_tree(tmp_path, {STATUS: "{"})
    assert collect_engine(tmp_path) == ()
    write_status(tmp_path, Status(engine="e", connected=True, state="up"))
    assert collect_engine(tmp_path) == ("e: up",)


def test_it_fits_a_terminal() -> None:
    """No line is longer than 80 columns, whatever there is to show."""
    banner = dataclasses.replace(COMPLETE, hostname="n" * 200, addresses=tuple("x" * 100 for _ in range(3)))
    assert max(len(line) for line in banner_text(banner).splitlines()) <= 80


def test_names_cannot_command_the_terminal() -> None:
    r"""A host name from the network with escapes of a terminal or of agetty (`\n`, `\4`) shows as text."""
    banner = dataclasses.replace(COMPLETE, hostname="a\x1b[2Jb\\4c\nd", product="ü")
    text = banner_text(banner)
    assert "\x1b" not in text
    assert text.isascii()
    assert "a?[2Jb\\\\4c?d" in text


def test_addresses_others_can_reach_are_shown() -> None:
    """Loopback, link-local and ports without an address are left out."""
    links = [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {
            "ifname": "eth0",
            "addr_info": [
                {"local": "192.0.2.5", "prefixlen": 24, "scope": "global"},
                {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
                {"local": "2001:db8::5", "prefixlen": 64, "scope": "global"},
            ],
        },
        {"ifname": "eth1", "addr_info": []},
        {},
    ]
    assert parse_addresses(json.dumps(links)) == ("eth0: 192.0.2.5/24, 2001:db8::5/64",)


def test_this_machines_addresses_can_be_read() -> None:
    """The real tool's output is understood."""
    for line in parse_addresses(run(["ip", "-json", "address", "show"]).stdout):
        assert ": " in line


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ('NAME="Debian"\nPRETTY_NAME="virtnode 0.1.0 (Debian 13)"\n', "virtnode 0.1.0 (Debian 13)"),
        ("PRETTY_NAME=virtnode\n", "virtnode"),
        ("# nothing\n", "virtnode"),
    ],
)
def test_the_product_comes_from_os_release(text: str, product: str) -> None:
    """Quoted, bare or absent."""
    assert read_product(text) == product


def test_fingerprints_are_those_of_the_keys(tmp_path: Path) -> None:
    """Each key of the SSH server is shown with its type, as ssh-keygen tells it."""
    assert collect_fingerprints(tmp_path) == ()
    folder = make_tree(tmp_path, {"etc/ssh/": ""}) / "etc/ssh"
    run(
        [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "a comment",
            "-f",
            folder / "ssh_host_ed25519_key",
        ]
    )
    (fingerprint,) = collect_fingerprints(tmp_path)
    assert fingerprint.startswith("ED25519 SHA256:")


def test_facts_are_read_below_the_root(tmp_path: Path) -> None:
    """Files, devices and sockets are looked up in the tree that is given."""
    root = make_tree(
        tmp_path,
        {
            "usr/lib/os-release": 'PRETTY_NAME="virtnode 1"\n',
            "proc/sys/kernel/hostname": "node1\n",
            "run/libvirt/": "",
            "dev/kvm": "",
        },
    )
    banner = collect_banner(root)
    assert (banner.product, banner.hostname, banner.kvm, banner.libvirt) == (
        "virtnode 1",
        "node1",
        True,
        False,
    )
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "run/libvirt/libvirt-sock"))
        assert collect_banner(root).libvirt
    assert is_socket(root / "run/libvirt/libvirt-sock")
    assert not is_socket(root / "dev/kvm")


def test_getty_never_sees_half_a_banner(tmp_path: Path) -> None:
    """The file appears in one step, replaces the last one, and leaves nothing beside it."""
    (tmp_path / "run").mkdir()
    for hostname in ("one", "two"):
        write_banner(dataclasses.replace(COMPLETE, hostname=hostname), tmp_path)
    issue = tmp_path / ISSUE
    assert "two" in issue.read_text()
    assert [path.name for path in issue.parent.iterdir()] == [issue.name]
