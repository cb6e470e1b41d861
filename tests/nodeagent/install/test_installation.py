"""The whole installation of a made-up machine: confirmed, unattended, failed, kept, told to a webhook."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jsonschema_rs
import pytest

from nodelib.bus_install import InstallRequest, InstallRun, InstallState, Survey
from nodelib.codec import from_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from tests.nodeagent.install.machines import SMALL, Machine, disk_row, part_row
from tests.nodeagent.install.works import IMAGE_BYTES

SCHEMA = Path(__file__).parents[3] / "docs/install-webhook.schema.json"
REQUEST = InstallRequest("smallest")


def confirmed(machine: Machine, request: InstallRequest = REQUEST) -> InstallRun:
    """Confirm what a plan says."""
    plan = machine.installation().plan(request)
    return InstallRun(request, plan.id, plan.disk.confirmation)


def test_a_confirmed_plan_is_done(tmp_path: Path) -> None:
    """From the view to the disk, with events, and what was told to the node before in its state."""
    machine = Machine(tmp_path, [disk_row()], boot="ask")
    (tmp_path / "var/lib/virtnode").mkdir(parents=True)
    (tmp_path / "var/lib/virtnode/node.toml").write_text('version = 1\n[system]\nhostname = "n1"\n')
    (tmp_path / "proc/cmdline").write_text(
        "node.engine=e.example.org node.token=secret node.install=ask quiet"
    )
    installation = machine.installation()
    view = installation.view()
    assert (view.asked, view.problem, view.disks[0].name) == (True, "", "sda")
    installation.run(confirmed(machine), "root")
    installation.wait(60)
    now = installation.progress()
    assert (now.state, now.percent, now.error) == (InstallState.SUCCEEDED, 100, "")
    assert machine.events() == ["install-started", "install-succeeded"]
    machine.read_table()
    found = installation.view().disks[0]
    assert (found.installed, found.build, found.unfinished) == ("virtnode 0.1.0", "1a2b3c4d5e6f", False)
    menu = run(["mtype", "-i", f"{tmp_path / 'dev/sda'}@@2M", "::a/slot.cfg"]).stdout
    assert "quiet" in menu
    assert "node.install" not in menu
    assert "secret" not in menu
    start = json.loads(run(["sfdisk", "--json", tmp_path / "dev/sda"]).stdout)["partitiontable"][
        "partitions"
    ][4]["start"]
    state = run(["debugfs", "-R", "cat /node.toml", f"{tmp_path / 'dev/sda'}?offset={start * 512}"]).stdout
    assert not (tmp_path / "run/virtnode/install").exists()
    assert 'hostname = "n1"' in state
    assert 'token = "secret"' in state


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"confirmation": "XXXX"}, Code.INVALID),
        ({"confirmation": ""}, Code.INVALID),
        ({"plan": "0"}, Code.CONFLICT),
    ],
)
def test_what_is_not_confirmed_is_not_done(tmp_path: Path, change: dict[str, str], code: Code) -> None:
    """A wrong serial number, none, or another plan: not a byte is written."""
    machine = Machine(tmp_path, [disk_row()])
    asked = dataclasses.replace(confirmed(machine), **change)  # type: ignore[arg-type]
    with pytest.raises(VirtnodeError) as caught:
        machine.installation().run(asked, "root")
    assert caught.value.code is code
    assert (tmp_path / "dev/sda").stat().st_blocks == 0


def test_a_disk_that_changed_since_is_not_touched(tmp_path: Path) -> None:
    """Somebody mounted it, or put something there, after the plan was shown."""
    machine = Machine(tmp_path, [disk_row()])
    asked = confirmed(machine)
    machine.rows[0] = disk_row(children=[part_row("sda1", mountpoints=["/mnt"])])
    with pytest.raises(VirtnodeError, match="no more what the plan said"):
        machine.installation().run(asked, "root")


def test_a_system_from_a_disk_cannot_install(tmp_path: Path) -> None:
    """It says where from one can."""
    machine = Machine(tmp_path, [disk_row()])
    (tmp_path / "proc/self/mountinfo").write_text("31 1 7:0 / /run/x ro - squashfs /dev/loop0 ro\n")
    plan = machine.installation().plan(REQUEST)
    assert "from the ISO" in plan.problems[-1]


def test_unattended_it_installs_and_says_so(tmp_path: Path) -> None:
    """By the rule of the kernel argument; the webhook hears of start and success, by the published schema."""
    intent = dataclasses.replace(SMALL, webhook="http://example.org/hook", after="stay")
    machine = Machine(tmp_path, [disk_row()], intent=intent, boot="smallest")
    installation = machine.installation()
    installation.begin()
    installation.wait(60)
    assert installation.progress().state is InstallState.SUCCEEDED
    assert [news["event"] for news in machine.posted] == ["started", "succeeded"]
    assert_schema(machine.posted)
    machine.read_table()
    again = machine.installation()
    again.begin()
    again.wait(60)
    assert again.progress().state is InstallState.IDLE
    assert "has this system already" in again.progress().step


def test_unattended_it_leaves_alone_what_a_person_began(tmp_path: Path) -> None:
    """Somebody was faster than the answer that it waited for: theirs goes on, and is not told twice."""
    machine = Machine(tmp_path, [disk_row()], boot="smallest")
    installation = machine.installation()
    installation.hold("waits for its configuration", "")
    installation.run(confirmed(machine), "root")
    installation.hold("waits for its configuration", "")
    installation.begin()
    installation.wait(60)
    assert (installation.progress().state, installation.progress().step) == (
        InstallState.SUCCEEDED,
        "installed",
    )
    installation.begin()
    assert installation.progress().state is InstallState.SUCCEEDED
    assert machine.events() == ["install-started", "install-succeeded"]


def assert_schema(posted: Sequence[Mapping[str, object]]) -> None:
    """Check documents against the published schema."""
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [str(error) for news in posted for error in validator.iter_errors(news)] == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([disk_row(pttype="dos", children=[part_row("sda1", fstype="ext4")])], "not empty"),
        ([disk_row(), disk_row("sdb")], "means several disks"),
        ([disk_row(mountpoints=["/"])], "mounted"),
        ([], "there is no disk"),
    ],
)
def test_unattended_a_doubt_stops_it(tmp_path: Path, rows: list[dict[str, object]], words: str) -> None:
    """Nothing is written, the reason is shown to whoever comes by, and the webhook hears of it."""
    intent = dataclasses.replace(SMALL, webhook="http://example.org/hook")
    machine = Machine(tmp_path, rows, intent=intent, boot="smallest")
    installation = machine.installation()
    installation.begin()
    installation.wait(60)
    now = installation.progress()
    assert now.state is InstallState.FAILED
    assert words in now.error
    assert words in installation.problems[-1]
    assert (tmp_path / "dev/sda").stat().st_blocks == 0
    machine.wait_for_news()
    assert [(news["event"], news["error"]) for news in machine.posted] == [("failed", now.error)]
    assert_schema(machine.posted)


@pytest.mark.parametrize("boot", ["", "ask"])
def test_nothing_begins_by_itself(tmp_path: Path, boot: str) -> None:
    """Without the argument, or where a person is to be asked, however complete the configuration is."""
    intent = dataclasses.replace(SMALL, rule="smallest", wipe=("all",))
    machine = Machine(tmp_path, [disk_row()], intent=intent, boot=boot)
    installation = machine.installation()
    installation.begin()
    assert installation.progress().state is InstallState.IDLE
    assert (tmp_path / "dev/sda").stat().st_blocks == 0


def test_arguments_that_the_kernel_would_cut_off_are_refused(tmp_path: Path) -> None:
    """Before anything is written: a node whose last arguments are lost would start as another one."""
    machine = Machine(tmp_path, [disk_row()], intent=SMALL)
    (machine.root / "proc/cmdline").write_text(f"root=live:CDLABEL=X {'x' * 1900} node.install=ask")
    installation = machine.installation()
    installation.run(confirmed(machine), "root")
    installation.wait(60)
    now = installation.progress()
    assert now.state is InstallState.FAILED
    assert "there is room for 1919" in now.error
    assert (tmp_path / "dev/sda").stat().st_blocks == 0


def test_a_failure_is_told(tmp_path: Path) -> None:
    """To whoever asks, to the engine's events, and to the webhook."""
    machine = Machine(
        tmp_path, [disk_row()], intent=dataclasses.replace(SMALL, webhook="http://example.org/")
    )

    def fail() -> None:
        raise VirtnodeError(Code.FAILED, "the medium is damaged", "burn another")

    machine.fail = fail
    installation = machine.installation()
    installation.run(confirmed(machine), "root")
    installation.wait(60)
    now = installation.progress()
    assert (now.state, now.error, now.hint) == (InstallState.FAILED, "the medium is damaged", "burn another")
    assert machine.events() == ["install-started", "install-failed"]
    assert [news["event"] for news in machine.posted] == ["started", "failed"]
    assert machine.posted[1]["error"] == "the medium is damaged"


def test_an_unfinished_installation_is_told_at_the_next_start(tmp_path: Path) -> None:
    """And the same disk can be installed to again."""
    machine = Machine(tmp_path, [disk_row()])
    installation = machine.installation()
    installation.run(confirmed(machine), "root")
    installation.wait(60)
    machine.read_table()
    run(["mren", "-i", f"{tmp_path / 'dev/sda'}@@2M", "::virtnode/done", "todo"])
    after = machine.installation()
    after.begin()
    assert "began and never ended" in after.problems[0]
    assert after.view().disks[0].unfinished
    after.run(confirmed(machine), "root")
    after.wait(60)
    assert after.progress().state is InstallState.SUCCEEDED
    assert after.problems == ()


def test_state_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    """A plan says so, and shows the layout that is there."""
    machine = Machine(tmp_path, [disk_row()])
    first = machine.installation()
    first.run(confirmed(machine), "root")
    first.wait(60)
    machine.read_table()
    machine.intent = dataclasses.replace(SMALL, slot=32)
    survey = first.survey()
    assert {region.name: region.size for region in survey.layouts["sda"]}["virtnode-a"] == 16
    assert survey.image_bytes == IMAGE_BYTES
    assert from_json(Survey, to_json(survey)) == survey
    request = InstallRequest("/dev/sda", keep=True)
    plan = machine.installation().plan(request)
    assert plan.problems == ()
    assert {region.name: region.size_bytes >> 20 for region in plan.regions}["virtnode-a"] == 16
    assert plan.regions[-1].content == "stays as it is"
    again = machine.installation()
    again.run(confirmed(machine, request), "root")
    again.wait(60)
    assert again.progress().state is InstallState.SUCCEEDED
