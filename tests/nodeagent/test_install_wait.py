"""An installation that nobody attends has the whole answer before it begins, wherever that comes from."""

import json
from pathlib import Path

import pytest

from nodeagent.config_url import LEASES
from nodeagent.install.disks import DISKS_COMMAND
from nodelib.bus import STATUS
from nodelib.bus_install import INSTALL_PROGRESS, InstallProgress, InstallState
from nodelib.link import Nothing
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.install.machines import ISO_MOUNTS, disk_row, part_row
from tests.nodeagent.install.works import make_squashfs
from tests.nodeagent.machines import OUTPUTS, Commands
from tests.nodeagent.test_config_source import server

ANSWER = '[install]\nrule = "largest"\nwebhook = "{hook}"\n'
FULL = disk_row("sdb", size=2 * 10**10, children=[part_row("sdb1", fstype="ext4")])
"""What the answer means, and what it does not allow to be wiped: so nothing is written."""


def disks() -> Commands:
    """Print two disks: the one that the answer means, and one that another rule would mean."""
    return Commands({**OUTPUTS, DISKS_COMMAND: {"blockdevices": [disk_row(), FULL]}})


def machine(tmp_path: Path, cmdline: str) -> dict[str, str]:
    """Lay out what a machine was started with, from an ISO."""
    (tmp_path / "root/dev").mkdir(parents=True)
    make_squashfs(tmp_path / "root/dev/loop0")
    return {"proc/cmdline": f"root=live:CDLABEL=X {cmdline}\n", "proc/self/mountinfo": ISO_MOUNTS}


def progress(running: RunningAgent) -> InstallProgress:
    """Ask how far it is."""
    return running.client.call(INSTALL_PROGRESS, Nothing())


def ended(running: RunningAgent) -> InstallProgress:
    """Wait until the installation was refused, as it must be here."""
    wait_for(lambda: progress(running).state is InstallState.FAILED, 40)
    return progress(running)


def test_it_waits_for_the_document_of_a_url(tmp_path: Path) -> None:
    """Its rule, its `wipe` and its webhook count; until it is there the status says what is waited for."""
    with server(folder=tmp_path) as served:
        served.status = 404
        url = served.url("/node.toml")
        files = machine(tmp_path, f"node.install=auto node.config={url}")
        with running_agent(tmp_path / "bus", tmp_path / "root", commands=disks(), files=files) as running:
            line = f"the installation waits for its configuration: {url}"
            wait_for(lambda: line in running.client.call(STATUS, Nothing()).problems)
            waiting = progress(running)
            assert (waiting.state, url in waiting.step) == (InstallState.IDLE, True)
            served.body = ANSWER.format(hook=served.url("/hook")).encode()
            served.status = 200
            assert "it is not empty (sdb1); unattended" in ended(running).error
            assert line not in running.client.call(STATUS, Nothing()).problems
            wait_for(lambda: served.posted)
    assert json.loads(served.posted[0])["event"] == "failed"


@pytest.mark.parametrize("rule", ["auto", "smallest"])
def test_it_waits_for_what_a_dhcp_server_names(tmp_path: Path, rule: str) -> None:
    """The rule of the kernel argument comes first, and all else is the document's."""
    with server(folder=tmp_path) as served:
        served.body = ANSWER.format(hook=served.url("/hook")).encode() + b"state = 1048576\n"
        files = machine(tmp_path, f"node.install={rule}")
        files[f"{LEASES}/2"] = f"OPTION_224={served.url().encode().hex()}\n"
        with running_agent(tmp_path / "bus", tmp_path / "root", commands=disks(), files=files) as running:
            error = ended(running).error
            wait_for(lambda: served.posted)
    assert "MiB are needed for these sizes" in error
    assert json.loads(served.posted[0])["disk"] == {"auto": "sdb", "smallest": "sda"}[rule]


def test_without_a_source_it_begins_at_once(tmp_path: Path) -> None:
    """A node that its medium configured asks no DHCP server, and waits for none."""
    files = machine(tmp_path, "node.install=auto node.engine=engine.example.org")
    with running_agent(tmp_path / "bus", tmp_path / "root", commands=disks(), files=files) as running:
        assert "no disk is named" in ended(running).error
        waited = [line for status in running.statuses for line in status.problems if "waits for" in line]
        assert waited == []
