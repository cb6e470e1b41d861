"""What ends a trial that nobody blesses, and the configuration that two agents of different age share."""

import tomllib
from pathlib import Path

from nodeagent.intent import VERSION
from nodeagent.update.slot_state import NEWER, NOTE, settle_state
from nodeagent.update.trial import RESTARTS, SECONDS, read_seconds, restart, wait_for_blessing
from nodelib.bus_update import RollBack, UpdateState
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.update.test_update import keep, update
from tests.nodeagent.update.worlds import bundle_for, make_world, start_slot
from tests.update_bundles import BundleOptions

STATE = "var/lib/virtnode/node.toml"
UNITS = Path(__file__).parents[3] / "nodeagent/units"


class Steps:
    """A clock that goes with each pause."""

    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        """Tell the time."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def test_a_trial_ends_in_time(tmp_path: Path) -> None:
    """Eight minutes after the machine's start, unless the image was kept."""
    steps = Steps()
    assert not wait_for_blessing(tmp_path, SECONDS, steps.clock, steps.pause)
    assert SECONDS <= steps.now < SECONDS + 5
    (tmp_path / "run/virtnode").mkdir(parents=True)
    (tmp_path / "run/virtnode/kept").touch()
    assert wait_for_blessing(tmp_path, SECONDS, steps.clock, steps.pause)
    assert read_seconds("quiet node.trial=b") == SECONDS
    assert read_seconds("node.trial_seconds=x node.trial_seconds=90") == 90.0


def test_a_machine_restarts_whatever_hangs(tmp_path: Path) -> None:
    """Harder each time; in the end the kernel is asked itself."""
    steps = Steps()
    (tmp_path / "proc").mkdir()
    log = tmp_path / "log"
    commands = [("sh", "-c", f"echo {number} >> {log}; exit 1") for number in (1, 2)]
    restart(tmp_path, [*commands, ("no-such-program",)], steps.pause)
    assert log.read_text() == "1\n2\n"
    assert (tmp_path / "proc/sysrq-trigger").read_text() == "b"
    assert all(words[:2] == ("systemctl", "reboot") for words in RESTARTS)


def test_the_watch_hangs_on_nothing() -> None:
    """It runs in the emergency shell as well, and only on trial."""
    lines = (UNITS / "virtnode-trial.service").read_text().splitlines()
    for line in (
        "DefaultDependencies=no",
        "ConditionKernelCommandLine=node.trial",
        "IgnoreOnIsolate=yes",
        "WantedBy=sysinit.target rescue.target emergency.target",
    ):
        assert line in lines


def test_an_older_agent_finds_what_it_reads(tmp_path: Path) -> None:
    """The newer one wrote its own version during the trial; after the rollback the copy counts."""
    world = make_world(tmp_path)
    update(world, bundle_for(tmp_path, BundleOptions(intent_version=VERSION + 1)))
    ours = (world.root / STATE).read_text()
    world.power_on()
    assert settle_state(world.root) == ""
    newer = f"version = {VERSION + 1}\n"
    (world.root / STATE).write_text(newer)
    # A second try finds the newer document, and leaves the copy alone.
    copy = world.root / "var/lib/virtnode/slots/a/node.toml"
    start_slot(world.root, world.work, "b", "b")
    settle_state(world.root)
    assert copy.read_text() == ours
    start_slot(world.root, world.work, "a")
    assert settle_state(world.root) == NOTE
    assert ((world.root / STATE).read_text(), (world.root / NEWER).read_text()) == (ours, newer)
    assert settle_state(world.root) == ""


def test_an_older_image_gets_the_configuration_in_its_own_words(tmp_path: Path) -> None:
    """A step back to an agent that reads version 1 only: nothing of it is lost for this one."""
    world = make_world(tmp_path)
    (world.root / STATE).write_text(f'version = {VERSION}\n[access]\nssh = "image"\n')
    update(world, bundle_for(tmp_path, BundleOptions(version="0.1", intent_version=1)))
    copy = tomllib.loads((world.root / "var/lib/virtnode/slots/b/node.toml").read_text())
    assert copy == {"version": 1, "access": {"ssh": "auto"}}
    assert "version = 2" in (world.root / STATE).read_text()
    world.power_on()
    keep(world)
    world.update.roll_back(RollBack(), "alice")
    assert wait_for(lambda: world.update.view().state is UpdateState.ROLLED_BACK)
