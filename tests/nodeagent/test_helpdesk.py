"""Journal, self-check and archive over the bus and by virtnodectl; and no secret in any of them."""

import json
import os
import re
import tarfile
import urllib.request
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from nodeagent.facts.nics import ADDRESS_COMMAND
from nodeagent.journal import UNITS_COMMAND
from nodeagent.support import COMMANDS
from nodeagent.usb_drives import DRIVES_COMMAND
from nodelib.bus import CONFIG_APPLY, JOIN, SUPPORT, JoinRequest, SupportRequest
from nodelib.bus_support import (
    BUNDLE,
    JOURNAL,
    SELF_CHECK,
    UNITS,
    USB_DRIVES,
    BundlePlace,
    BundleRequest,
    JournalRequest,
    Verdict,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ApplyRequest, Nothing
from tests.nodeagent.authority import Authority
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.machines import Commands
from tests.nodeagent.test_control import control
from tests.nodeagent.test_journal import entry
from tests.nodeagent.test_link import authority, engine
from tests.nodeagent.test_usb import STICK

__all__ = ["authority", "engine"]
KEY_LINES = "MIGHAgEAMBMGByqGSM49AgEG"
SECRETS = (
    "vnt_JOINTOKEN234", "cmdlinetoken77", "proxypass99", "$6$salt$adminhash", "chapsecret12", "wifipsk3456",
    KEY_LINES, "c29tZWJvZHk6aHR0cHBhc3M=", "optionpass55", "urlpass66", "urlquery88",
)  # fmt: skip
CONFIG_URL = "https://site:urlpass66@boot.example.org/n.toml?q=urlquery88"
LOG = (
    "joined with vnt_JOINTOKEN234",
    "Kernel command line: node.engine=e node.token=cmdlinetoken77",
    f"Unknown kernel command line parameters, passed to user space: node.config={CONFIG_URL}",
    "curl: (22) urlpass66 was refused",
    "the proxy refuses proxypass99, as http://user:proxypass99@proxy:3128",
    "root:$6$salt$adminhash:1:",
    "node.session.auth.password = chapsecret12",
    "psk=wifipsk3456",
    "-----BEGIN PRIVATE KEY-----",
    KEY_LINES,
    "-----END PRIVATE KEY-----",
    "Authorization: Basic c29tZWJvZHk6aHR0cHBhc3M=",
    "login --password optionpass55 --user x",
    "the last line is plain",
)
"""What programs that know no better write into the journal."""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a folder of made-up programs first on the path; journalctl prints the log, systemd-run copies."""
    folder = tmp_path / "bin"
    folder.mkdir()
    entries = "".join(f"{json.dumps(entry(number, text))}\n" for number, text in enumerate(LOG))
    (tmp_path / "journal").write_text(entries)
    drive = tmp_path / "drive"
    drive.mkdir()
    unit = 'for last; do :; done\ncp "$last" "{}/"\nprintf \'{{"name": "%s"}}\' "$(basename "$last")"\n'
    for name, script in (("journalctl", f"cat {tmp_path}/journal\n"), ("systemd-run", unit.format(drive))):
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def running(programs: Path) -> Iterator[RunningAgent]:
    """Run an agent whose machine is full of secrets, and whose address can be listened at."""
    commands = Commands()
    shown = [{"ifname": "bond0", "addr_info": [{"local": "127.0.0.2", "prefixlen": 8, "scope": "global"}]}]
    commands.outputs |= {
        ADDRESS_COMMAND: shown,
        DRIVES_COMMAND: {"blockdevices": [STICK]},
        UNITS_COMMAND: [{"unit": "a.service", "load": "loaded"}],
        tuple(COMMANDS["journal.txt"]): "".join(f"{line}\n" for line in LOG),
    }
    with running_agent(programs / "bus", programs / "root", commands=commands) as agent:
        (programs / "root/proc/cmdline").write_text(
            f"root=live:x node.token=cmdlinetoken77 node.config={CONFIG_URL}\n"
        )
        wait_for(lambda: agent.statuses)
        yield agent


def join(running: RunningAgent, engine: EngineDouble, authority: Authority) -> None:
    """Join with a token, and wait for the connection."""
    running.client.call(JOIN, JoinRequest(engine.address, (authority.pin,), "vnt_JOINTOKEN234"))
    wait_for(lambda: running.agent.is_connected)


def set_proxy(running: RunningAgent) -> None:
    """Name a proxy with a password, which leads nowhere."""
    patch = {"engine": {"proxy": "http://user:proxypass99@127.0.0.1:1"}}
    running.client.call(CONFIG_APPLY, ApplyRequest(patch, 60.0))


def texts_of(content: bytes) -> dict[str, str]:
    """Unpack an archive."""
    with tarfile.open(fileobj=BytesIO(content)) as archive:
        files = {name: archive.extractfile(name) for name in archive.getnames()}
        return {name: file.read().decode() for name, file in files.items() if file is not None}


def leaks(texts: dict[str, str]) -> list[tuple[str, str]]:
    """Find secrets in texts."""
    return [(name, secret) for name, text in texts.items() for secret in SECRETS if secret in text]


def test_the_journal_over_the_bus_has_no_secret(running: RunningAgent) -> None:
    """Whatever programs wrote into it; the rest is left as it is, and the cursor leads on."""
    set_proxy(running)
    reply = running.client.call(JOURNAL, JournalRequest(lines=50))
    assert leaks({"journal": "\n".join(one.text for one in reply.entries)}) == []
    assert len(reply.entries) == len(LOG)
    assert (reply.entries[-1].text, reply.cursor) == (LOG[-1], f"s=a;i={len(LOG) - 1}")
    assert running.client.call(UNITS, Nothing()).units == ("a.service",)
    with pytest.raises(VirtnodeError, match="lines") as caught:
        running.client.call(JOURNAL, JournalRequest(lines=5000))
    assert caught.value.code is Code.INVALID
    shown = control(running.address, "journal", "--priority", "err", "--lines", "3")
    assert re.search(r"^2023-11-14 22:13:\d\d a.service: the last line is plain$", shown.out, re.MULTILINE)
    assert control(running.address, "journal", "--units").out == "a.service\n"
    assert control(running.address, "journal", "--priority", "9").status == 2
    assert json.loads(control(running.address, "journal", "--json").out)["entries"]


def test_the_node_checks_itself(running: RunningAgent) -> None:
    """Each group of the contract, in order; virtnodectl fails where a check does."""
    reply = running.client.call(SELF_CHECK, Nothing())
    names = ["hardware", "virtualisation", "storage", "network", "time", "services", "engine"]
    assert [group.name for group in reply.groups] == names
    assert reply.verdict is Verdict.FAILED
    by_name = {check.name: check for group in reply.groups for check in group.checks}
    assert (by_name["memory"].verdict, by_name["kvm"].verdict) == (Verdict.FAILED, Verdict.OK)
    shown = control(running.address, "check")
    assert shown.status == 1
    assert re.search(r"^  FAIL +memory +There are 0\.0 GiB of memory\.$", shown.out, re.MULTILINE)
    assert "hint: a node needs 1 GiB" in shown.out
    assert json.loads(control(running.address, "check", "--json").out)["verdict"] == "failed"


def test_an_archive_goes_to_a_usb_drive(running: RunningAgent, programs: Path) -> None:
    """The drive is named by its label; nothing is left on the node but an event."""
    set_proxy(running)
    (drive,) = running.client.call(USB_DRIVES, Nothing()).drives
    assert drive.device == "/dev/sdb1"
    assert "STICK" in control(running.address, "support", "--drives").out
    done = control(running.address, "support", "--usb", "/dev/sdb1")
    (written,) = (programs / "drive").iterdir()
    assert done.out == f"{written.name} on STICK; the drive may be pulled out\n"
    assert leaks(texts_of(written.read_bytes())) == []
    assert list((programs / "root/run/virtnode").glob("support-*")) == []
    assert control(running.address, "support", "--usb", "/dev/sda1").status == 1
    assert "archive" in (programs / "root/var/lib/virtnode/events.json").read_text()


def test_an_archive_goes_to_the_engine(
    running: RunningAgent, engine: EngineDouble, authority: Authority
) -> None:
    """Whole and without secrets; without a connection it is refused at once."""
    request = BundleRequest(BundlePlace.ENGINE)
    with pytest.raises(VirtnodeError, match="no connection") as caught:
        running.client.call(BUNDLE, request)
    assert caught.value.code is Code.UNAVAILABLE
    join(running, engine, authority)
    reply = running.client.call(BUNDLE, request)
    assert (reply.where, reply.size_bytes, reply.seconds_left) == ("0123456789abcdef", len(engine.archive), 0)
    texts = texts_of(engine.archive)
    # Nobody told this node that this word of the log is a proxy's password.
    assert {secret for _, secret in leaks(texts)} == {"proxypass99"}
    assert {name.rpartition("/")[2] for name in texts} > {"status.json", "journal.txt", "config.json"}
    assert "archives save 0123456789abcdef" in control(running.address, "support", "--engine").out
    wait_for(lambda: [one for one in engine.events if one.kind == "archive" and one.actor == "root"])


def test_an_archive_is_fetched_by_its_url(running: RunningAgent, programs: Path) -> None:
    """At the node's own address, without secrets; its path is in no event, and it ends with the agent."""
    set_proxy(running)
    reply = running.client.call(BUNDLE, BundleRequest(BundlePlace.URL))
    assert reply.where.startswith("http://127.0.0.2:")
    assert reply.seconds_left == 600
    with urllib.request.urlopen(reply.where, timeout=20) as answer:
        texts = texts_of(answer.read())
    assert leaks(texts) == []
    events = (programs / "root/var/lib/virtnode/events.json").read_text()
    assert reply.where.split("/")[3] not in events
    assert "until" in control(running.address, "support", "--url").out
    with pytest.raises(VirtnodeError, match="only for a USB drive"):
        running.client.call(BUNDLE, BundleRequest(BundlePlace.URL, "/dev/sdb1"))


def test_the_archive_in_a_folder_has_no_secret_either(running: RunningAgent, tmp_path: Path) -> None:
    """The verb without a place, as before; the node's own files are read, and what they say is hidden."""
    set_proxy(running)
    path = Path(running.client.call(SUPPORT, SupportRequest(str(tmp_path))).path)
    texts = texts_of(path.read_bytes())
    assert leaks(texts) == []
    assert [text for name, text in texts.items() if name.endswith("proc-cmdline")] == [
        "root=live:x node.token=(hidden) node.config=(hidden)"
    ]
    key = (running.agent.identity.key_file).read_text().splitlines()[1]
    assert [name for name, text in texts.items() if key in text] == []
