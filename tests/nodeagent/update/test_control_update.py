"""virtnodectl's verbs about updates, on an agent that runs, and what they print."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.controls.terminal import Terminal
from nodeagent.controls.update import follow, plan_text, view_text
from nodelib.bus_update import PackageChange, UpdatePlan, UpdateState, UpdateView
from nodelib.errors import VirtnodeError
from tests.nodeagent.buses import RunningAgent, running_agent
from tests.nodeagent.test_control import control

PLAN = UpdatePlan(
    "2.0",
    "22",
    "Debian GNU/Linux 13",
    "b",
    "virtnode 0.9",
    5 << 20,
    "release",
    (PackageChange("bash", "1", "2"), PackageChange("new", after="1"), PackageChange("old", before="1")),
    ("it is older",),
    ("no room",),
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningAgent]:
    """Run an agent that was started from a CD."""
    with running_agent(tmp_path / "bus", tmp_path / "root") as agent:
        yield agent


def test_a_node_that_runs_from_a_cd_says_so(running: RunningAgent) -> None:
    """Each verb answers, with a line and a hint."""
    assert "there was no update" in control(running.address, "update", "status").out
    for words in (("update", "--check", "x.update"), ("update", "x.update"), ("rollback",)):
        done = control(running.address, *words)
        assert (done.status, "two slots" in done.errors, "hint:" in done.errors) == (1, True, True)


def test_a_plan_is_laid_out() -> None:
    """Image, key, place, packages, warnings, problems."""
    assert plan_text(PLAN).splitlines() == [
        "image       2.0 22, Debian GNU/Linux 13",
        "signed by   release",
        "size        5 MiB",
        "goes to     slot b, in the place of virtnode 0.9",
        "package     bash 1 -> 2",
        "package     new 1 is new",
        "package     old 1 goes",
        "warning     it is older",
        "problem     no room",
    ]


def test_an_update_is_followed_to_its_end() -> None:
    """Each new step is a line; a failure is an error with its reason."""
    out = io.StringIO()
    terminal = Terminal(None, out, io.StringIO())  # type: ignore[arg-type]
    views = [
        UpdateView(UpdateState.FETCHING, 1, "fetching the bundle"),
        UpdateView(UpdateState.WRITING, 50, "writing the kernel"),
        UpdateView(UpdateState.READY, version="2.0", slot="b"),
    ]
    follow(iter(views).__next__, terminal, lambda seconds: None)
    assert out.getvalue().splitlines() == [
        "  1 %  fetching the bundle",
        " 50 %  writing the kernel",
        "2.0 in slot b is written; the next start tries it",
    ]
    failed = UpdateView(UpdateState.FAILED, error="no room")
    with pytest.raises(VirtnodeError, match="no room"):
        follow(lambda: failed, terminal, lambda seconds: None)


def test_the_status_says_what_was_missed() -> None:
    """And whether one can go back."""
    view = UpdateView(
        UpdateState.ROLLED_BACK, 0, "", "2.0", "22", "b", 0, ("libvirt does not answer",), "why", "do", 1.0
    )
    assert view_text(view).splitlines() == [
        "2.0 22 in slot b was taken back",
        "missed        libvirt does not answer",
        "reason        why",
        "hint          do",
        "since         1970-01-01 00:00 UTC",
        "rollback      not possible",
    ]
