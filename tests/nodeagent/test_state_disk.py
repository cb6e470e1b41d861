"""The state disk: found, repaired, mounted; and every way in which it is not, and the node starts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.factory_reset import MARK, ask_for_reset
from nodeagent.ssh_keys import keep_host_keys, restore_host_keys
from nodeagent.state_disk import (
    DEVICE,
    UNDER_WAY,
    State,
    find_state,
    is_stateless,
    mirrored_volume,
    mount_state,
    read_state,
    write_state,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result
from tests.nodeagent.machines import make_machine


@dataclass
class Tools:
    """Writes down which commands were asked for; a status, or an error, for some."""

    statuses: dict[str, int] = field(default_factory=dict)
    missing: str = ""
    calls: list[str] = field(default_factory=list)
    words: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str | Path], *, check: bool, timeout: float) -> Result:
        """Run nothing."""
        words = tuple(str(word) for word in argv)
        self.calls.append(words[0])
        self.words.append(words)
        if words[0] == self.missing or (check and self.statuses.get(words[0])):
            raise VirtnodeError(Code.FAILED, f"{words[0]} failed")
        return Result(words, self.statuses.get(words[0], 0), "", "")


def machine(tmp_path: Path, *, disk: bool = True, cmdline: str = "quiet") -> Path:
    """Make a machine with or without a state disk."""
    return make_machine(tmp_path, {"proc/cmdline": f"{cmdline}\n"} | ({DEVICE: ""} if disk else {}))


def test_a_state_disk_is_mounted(tmp_path: Path) -> None:
    """Checked first; what was repaired is fine."""
    for status in (0, 1):
        tools = Tools({"fsck": status})
        assert mount_state(machine(tmp_path), tools) == State("disk")
        assert tools.calls == ["udevadm", "fsck", "mount"]


def test_a_udev_that_is_too_slow_does_not_cost_the_state(tmp_path: Path) -> None:
    """The disk may be there all the same; of an installed node's, no other disk is waited for."""
    assert mount_state(machine(tmp_path), Tools(missing="udevadm")) == State("disk")
    tools = Tools(missing="udevadm")
    root = machine(tmp_path / "named", cmdline="quiet node.state=AB-1")
    assert mount_state(root, tools) == State("disk")
    assert tools.words[0] == ("udevadm", "wait", "--timeout=60", str(root / "dev/disk/by-partuuid/ab-1"))


def test_a_reset_that_was_asked_for_is_done_before_anything_is_read(tmp_path: Path) -> None:
    """A node that forgot everything has a state disk that is empty; a removal that fails leaves it unused."""
    root = machine(tmp_path)
    state = root / "var/lib/virtnode"
    state.mkdir(parents=True)
    (state / "node.toml").write_text("version = 2")
    ask_for_reset(root)
    assert mount_state(root, Tools()) == State("disk")
    assert list(state.iterdir()) == []
    ask_for_reset(root)
    (state / MARK).unlink()
    (state / MARK).mkdir()
    tools = Tools()
    found = mount_state(root, tools)
    assert (found.kind, tools.calls[-1]) == ("memory", "umount")
    assert "the reset did not end" in found.problem


@pytest.mark.parametrize("tools", [Tools({"fsck": 4}), Tools({"mount": 32}), Tools(missing="fsck")])
def test_a_broken_one_is_a_problem_and_no_more(tmp_path: Path, tools: Tools) -> None:
    """The node starts without it, and says so."""
    state = mount_state(machine(tmp_path), tools)
    assert state.kind == "memory"
    assert "state disk cannot be used" in state.problem


def test_without_one_nothing_is_wrong(tmp_path: Path) -> None:
    """A node without a state disk, and one that is told to be stateless, keep their state in memory."""
    assert mount_state(machine(tmp_path, disk=False), Tools()) == State()
    tools = Tools()
    assert mount_state(machine(tmp_path / "b", cmdline="quiet node.stateless"), tools) == State()
    assert tools.calls == []


def test_an_installed_disk_has_its_own(tmp_path: Path) -> None:
    """Whatever else has the label; one that is gone is a problem."""
    root = machine(tmp_path, cmdline="quiet node.state=AB-1")
    assert find_state(root) == root / "dev/disk/by-partuuid/ab-1"
    assert "cannot be used" in mount_state(root, Tools({"fsck": 8})).problem


def test_a_mirrored_state_is_started_by_udev(tmp_path: Path) -> None:
    """Both disks are there, and the volume soon is; nobody interferes."""
    root = machine(tmp_path, cmdline="quiet node.state=virtnode-1a2b3c4d-state/state")
    volume = root / "dev/virtnode-1a2b3c4d-state/state"
    volume.parent.mkdir(parents=True)
    volume.touch()
    tools = Tools()
    assert find_state(root) == volume
    assert mount_state(root, tools) == State("disk")
    assert tools.calls == ["udevadm", "udevadm", "fsck", "mount"]


LISTED_POOL = "  disk1 thin\n  guests thin-pool\n  [guests_tdata] {data}\n  [guests_tmeta] raid1\n"
START_POOL = (
    "lvchange --activate y --activationmode partial"
    " --select lv_name=guests || pool_lv=guests virtnode-1a2b3c4d"
)


@pytest.mark.parametrize(
    ("listed", "started"),
    [("", []), (LISTED_POOL.format(data="raid1"), [START_POOL]), (LISTED_POOL.format(data="linear"), [])],
    ids=["no pool", "a pool on both disks", "a pool that lacks a part"],
)
def test_a_mirrored_state_is_started_with_one_disk(tmp_path: Path, listed: str, started: list[str]) -> None:
    """udev would wait for the other for ever: state first, then the group of guests' disks beside it."""
    root = machine(tmp_path, cmdline="node.state=AB-1 node.state=virtnode-1a2b3c4d-state/state")
    said: list[str] = []

    def command(argv: Sequence[str | Path], *, check: bool, timeout: float) -> Result:
        said.append(" ".join(map(str, argv)))
        return Result(tuple(map(str, argv)), 5 if argv[0] == "vgchange" else 0, listed, "")

    assert mount_state(root, command) == State("disk")
    volume = root / "dev/virtnode-1a2b3c4d-state/state"
    options = "rw,nosuid,nodev,noexec,noatime"
    assert said[1:] == [
        f"udevadm wait --timeout=20 {volume}",
        "lvchange --activate y --activationmode degraded virtnode-1a2b3c4d-state/state",
        "vgchange --activate y --activationmode degraded virtnode-1a2b3c4d",
        "lvs --all --noheadings -o lv_name,segtype virtnode-1a2b3c4d",
        *started,
        f"fsck -p -T {volume}",
        f"mount -o {options} {volume} {root / 'var/lib/virtnode'}",
    ]
    assert mirrored_volume(machine(tmp_path / "b", cmdline="node.state=AB-1")) == ""
    assert mirrored_volume(machine(tmp_path / "c", cmdline="node.state=../../x")) == ""


def test_nothing_of_an_unfinished_installation_is_used(tmp_path: Path) -> None:
    """Nor anything at all while one installs, so that it can be written."""
    for number, name in enumerate(UNDER_WAY):
        root = make_machine(machine(tmp_path / str(number)), {name: ""})
        assert find_state(root) is None
        assert mount_state(root, Tools()) == State()
    tools = Tools()
    assert mount_state(machine(tmp_path / "b", cmdline="node.install=ask"), tools) == State()
    assert tools.calls == []


def test_stateless_is_read_from_the_kernel_arguments() -> None:
    """The last word counts, and may say no."""
    assert is_stateless("a node.stateless b")
    assert is_stateless("node.stateless=1")
    assert not is_stateless("node.stateless node.stateless=no")
    assert not is_stateless("xnode.stateless node.statelessness")


def test_word_is_left_for_the_agent(tmp_path: Path) -> None:
    """What was found is read back; nothing at all is memory without a problem."""
    assert read_state(tmp_path) == State()
    write_state(tmp_path, State("memory", "broken"))
    assert read_state(tmp_path) == State("memory", "broken")


def test_ssh_keys_stay_the_same_from_boot_to_boot(tmp_path: Path) -> None:
    """The first boot's keys are kept, and put back before the server makes others."""
    first = make_machine(
        tmp_path / "first", {"etc/ssh/ssh_host_rsa_key": "private", "etc/ssh/ssh_host_rsa_key.pub": "public"}
    )
    keep_host_keys(first)
    second = tmp_path / "second"
    (second / "var/lib").mkdir(parents=True)
    (first / "var/lib/virtnode").rename(second / "var/lib/virtnode")
    restore_host_keys(second)
    key = second / "etc/ssh/ssh_host_rsa_key"
    assert key.read_text() == "private"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.with_suffix(".pub").read_text() == "public"
    key.write_text("another")
    keep_host_keys(second)
    assert (second / "var/lib/virtnode/ssh/ssh_host_rsa_key").read_text() == "private"


def test_no_keys_is_nothing_to_keep(tmp_path: Path) -> None:
    """A node without SSH keeps and restores nothing."""
    keep_host_keys(tmp_path)
    restore_host_keys(tmp_path)
    assert list(tmp_path.iterdir()) == []
