"""virtnodectl install and survey, against an agent on a private bus and a made-up disk."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.netboot import serve_folder
from nodeagent.controls.install import disks_text, follow, plan_text, progress_line
from nodeagent.controls.terminal import Terminal
from nodelib.bus_install import InstallDisk, InstallPlan, InstallProgress, InstallState, InstallView, Survey
from nodelib.codec import from_json
from nodelib.errors import VirtnodeError
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.install.machines import Machine, disk_row
from tests.nodeagent.machines import Commands
from tests.nodeagent.test_control import control


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningAgent]:
    """Run an agent on a machine with one blank disk."""
    root = tmp_path / "root"
    machine, others = Machine(root, [disk_row()]), Commands()
    config = root / "usr/lib/virtnode/node.toml"
    config.parent.mkdir(parents=True)
    config.write_text('version = 1\n[install]\nesp = 128\nslot = 256\nstate = 64\ndata = "none"\n')
    with running_agent(
        tmp_path / "bus", root, commands=lambda argv: machine.command(argv) or others(argv)
    ) as agent:
        yield agent


def test_a_plan_shows_disk_loss_and_layout(running: RunningAgent) -> None:
    """For people, and as JSON."""
    found = control(running.address, "install", "plan", "smallest")
    assert found.status == 0, found.errors
    assert "disk        sda (Disk 9, 9.0 GB, serial SN-sda-7A3F)" in found.out
    assert "virtnode-a            256 MiB  this system" in found.out
    assert "erase what is on sda" in found.out
    plan = json.loads(control(running.address, "install", "plan", "/dev/sda", "--json").out)
    assert plan["disk"]["confirmation"] == "7A3F"
    assert "sda (Disk 9" in control(running.address, "install", "disks").out
    assert control(running.address, "install", "status").out == "no installation is under way\n"


def test_the_answer_is_changed_as_all_configuration(running: RunningAgent) -> None:
    """What changes is said, but for the webhook's address, and holds at once."""
    patch = '[install]\nrule = "first"\nwebhook = "https://example.org/secret"\n'
    found = control(running.address, "config", "apply", "-", stdin=patch)
    assert found.out.splitlines() == ["install.rule: first", "install.webhook: (hidden)"]
    assert "secret" not in control(running.address, "config", "show").out
    assert "sda (Disk 9" in control(running.address, "install", "plan").out


def test_a_rule_that_means_nothing_is_an_error(running: RunningAgent) -> None:
    """With the candidates."""
    found = control(running.address, "install", "plan", "bus:nvme")
    assert found.status == 1
    assert "means none of these disks: sda" in found.errors
    assert control(running.address, "install", "plan", "biggest").status == 2
    assert "no disk is named" in control(running.address, "install", "plan").errors


def test_data_disks_and_thin_pool_are_asked_for(running: RunningAgent) -> None:
    """In place of what the configuration says; what is in the way of them is shown."""
    found = control(running.address, "install", "plan", "smallest", "--data", "bus:nvme")
    assert "the rule bus:nvme means none of these disks" in found.errors
    found = control(running.address, "install", "plan", "smallest", "--thin")
    assert "problem     there is no volume group for a thin pool" in found.out


def test_a_plan_names_its_data_disks() -> None:
    """Model, serial number and size of each, below the boot disk."""
    disks = tuple(InstallDisk(name, model="M", serial=f"S{name}", size_bytes=10**12) for name in ("b", "c"))
    lines = plan_text(InstallPlan("1", InstallDisk("a"), data=disks)).splitlines()
    assert lines[1:] == [
        "data disks  b (M, 1000.0 GB, serial Sb)",
        "            c (M, 1000.0 GB, serial Sc)",
    ]


def test_a_wrong_confirmation_ends_it(running: RunningAgent, tmp_path: Path) -> None:
    """Typed or given, nothing is written."""
    for words, stdin in ((("--confirm", "1234"), ""), ((), "nope\n"), ((), "")):
        found = control(running.address, "install", "run", "smallest", *words, stdin=stdin)
        assert found.status == 2
        assert "the confirmation is not" in found.errors
    assert (tmp_path / "root/dev/sda").stat().st_blocks == 0


def test_what_fails_on_the_way_is_told(running: RunningAgent) -> None:
    """The image of this machine has no boot files: nothing is erased, and it says what is missing."""
    found = control(running.address, "install", "run", "smallest", stdin="7a3f\n")
    assert found.status == 1
    assert "Type 7A3F (the end of its serial number) to begin" in found.out
    assert "SHA256SUMS cannot be read" in found.errors
    assert "failed" in control(running.address, "install", "status").out


def test_a_survey_is_printed_and_saved(running: RunningAgent, tmp_path: Path) -> None:
    """It has facts and disks; a server that does not take it is an error."""
    survey = from_json(Survey, control(running.address, "survey").out)
    assert survey.disks[0].name == "sda"
    target = tmp_path / "machine.json"
    assert control(running.address, "survey", "--save", str(target)).status == 0
    assert from_json(Survey, target.read_text()).disks == survey.disks
    with serve_folder(tmp_path) as port:
        found = control(running.address, "survey", "--post", f"http://127.0.0.1:{port}/")
    assert "was not taken" in found.errors
    assert control(running.address, "survey", "--save", "/nowhere/x").status == 1


def test_an_installation_is_followed_to_its_end() -> None:
    """Each step once, then how it ended."""
    out = io.StringIO()
    running, done = InstallState.RUNNING, InstallState.SUCCEEDED
    steps = iter(
        [
            InstallProgress(running, "sda", 10, "copying"),
            InstallProgress(running, "sda", 10, "copying"),
            InstallProgress(done, "sda", 100, "installed", hint="restart the machine"),
        ]
    )
    terminal = Terminal(None, out, io.StringIO())  # type: ignore[arg-type]
    follow(lambda: next(steps), terminal, lambda seconds: None)
    assert out.getvalue().splitlines() == [" 10 %  copying", "100 %  installed to sda; restart the machine"]
    failed = InstallProgress(InstallState.FAILED, "sda", 10, "copying", error="no", hint="do")
    with pytest.raises(VirtnodeError, match="no"):
        follow(lambda: failed, terminal, lambda seconds: None)
    assert progress_line(failed) == "failed at 10 %, copying: no; do"
    early = InstallProgress(InstallState.FAILED, error="no disk")
    assert progress_line(early) == "failed: no disk"


def test_disks_are_listed_with_what_is_in_the_way() -> None:
    """What is on each, who forbids it, and what must be named."""
    disks = (
        InstallDisk("sda", holds=("sda: dos",), refusals=("swap is on it",), treasures=("vg0",)),
        InstallDisk("sdb", installed="virtnode 0.1.0"),
    )
    text = disks_text(InstallView(disks, problem="not from here"))
    for line in (
        "never: swap is on it",
        "only with --wipe vg0",
        "virtnode 0.1.0 is installed",
        "problem: not",
        "nothing was found on it",
    ):
        assert line in text
    assert disks_text(InstallView(())) == "there is no disk\n"
    begun = InstallDisk("vdb", unfinished=True, begun=True, treasures=("virtnode-3f9a21c7", "vg0"))
    text = disks_text(InstallView((begun,)))
    assert "began and never ended" in text
    assert "--wipe vg0" in text
    assert "--wipe virtnode" not in text
