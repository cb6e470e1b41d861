"""The self-check: each check can hold and fail, and a group is as its worst."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nodeagent.health import FAILED_COMMAND
from nodeagent.selfcheck import checks
from nodeagent.selfcheck.evidence import (
    TRACKING_COMMAND,
    Evidence,
    Known,
    Room,
    Tracking,
    collect_evidence,
    read_only_mounts,
    read_tracking,
)
from nodeagent.selfcheck.groups import GROUPS, judge, worst
from nodeagent.state_disk import State
from nodelib.bus_support import Check, Verdict
from nodelib.facts import Cpu, Facts, Memory, Virtualisation
from nodelib.ladder import Rung, Step, StepState
from tests.nodeagent.machines import MACHINE, Commands, make_machine

NOW = 1_800_000_000.0
DAY = 86400.0
MIB, GIB = 1 << 20, 1 << 30
LADDER = tuple(Rung(step, StepState.OK, f"{step.value} holds.") for step in Step)
FACTS = Facts(
    cpu=Cpu(model="EPYC", flags=("fpu", "svm"), nested=True),
    memory=Memory(total_bytes=4 * GIB),
    virtualisation=Virtualisation(True, "11.3.0", "10.0.0", ("qemu", "kvm"), iommu=True),
)
KNOWN = Known(FACTS, True, LADDER, "engine.example.org", "up", 0.5, NOW + 60 * DAY, NOW, NOW - DAY)
GOOD = Evidence(
    KNOWN,
    True,
    State("disk"),
    False,
    Room(512 * MIB, 400 * MIB),
    (),
    Tracking(True, 0.0001, "192.0.2.1"),
    (),
)


def known(**changes: object) -> Evidence:
    """Make evidence that differs in what the agent knows."""
    return dataclasses.replace(GOOD, known=dataclasses.replace(KNOWN, **changes))  # type: ignore[arg-type]


def facts(**changes: object) -> Evidence:
    """Make evidence that differs in a fact."""
    return known(facts=dataclasses.replace(FACTS, **changes))  # type: ignore[arg-type]


def other(**changes: object) -> Evidence:
    """Make evidence that differs in what was found out for the check."""
    return dataclasses.replace(GOOD, **changes)  # type: ignore[arg-type]


def virtual(**changes: object) -> Evidence:
    """Make evidence that differs in virtualisation."""
    return facts(virtualisation=dataclasses.replace(FACTS.virtualisation, **changes))  # type: ignore[arg-type]


CASES: tuple[tuple[Callable[[Evidence], Check], Evidence, Verdict, str], ...] = (
    (checks.check_processor, facts(cpu=Cpu(flags=("fpu",))), Verdict.FAILED, "no virtualisation"),
    (checks.check_memory, facts(memory=Memory(total_bytes=512 * MIB)), Verdict.FAILED, "0.5 GiB"),
    (checks.check_clock_chip, known(built_at=NOW + 1), Verdict.FAILED, "before this image"),
    (checks.check_clock_chip, other(clock_chip=False), Verdict.WARNING, "no clock of its own"),
    (checks.check_kvm, virtual(kvm=False), Verdict.FAILED, "/dev/kvm is missing"),
    (checks.check_libvirt, virtual(libvirt=""), Verdict.FAILED, "does not answer"),
    (checks.check_libvirt, virtual(domain_types=("qemu",)), Verdict.FAILED, "no KVM guests"),
    (checks.check_nested, facts(cpu=Cpu(flags=("svm",))), Verdict.WARNING, "cannot run guests"),
    (checks.check_iommu, virtual(iommu=False), Verdict.WARNING, "cannot be handed"),
    (checks.check_state_disk, other(state=State("memory", "it broke")), Verdict.FAILED, "It broke."),
    (checks.check_state_disk, other(state=State()), Verdict.WARNING, "no disk has"),
    (checks.check_state_disk, other(state=State(), stateless=True), Verdict.WARNING, "node.stateless"),
    (checks.check_room, other(room=Room(512 * MIB, 2 * MIB)), Verdict.FAILED, "2 of 512 MiB"),
    (checks.check_room, other(room=Room(512 * MIB, 20 * MIB)), Verdict.WARNING, "20 of 512 MiB"),
    (checks.check_room, other(room=None), Verdict.SKIPPED, "no state disk"),
    (checks.check_read_only, other(read_only=("/var/lib/virtnode",)), Verdict.FAILED, "/var/lib/virtnode"),
    (checks.check_tracking, other(tracking=None), Verdict.FAILED, "does not answer"),
    (checks.check_tracking, other(tracking=Tracking(False)), Verdict.WARNING, "No time server"),
    (checks.check_tracking, other(tracking=Tracking(True, -3.5)), Verdict.WARNING, "3.500 s"),
    (checks.check_skew, known(skew=-900.0), Verdict.WARNING, "900 s apart"),
    (checks.check_skew, known(skew=None), Verdict.SKIPPED, "No engine was asked"),
    (checks.check_units, other(failed_units=("a.socket", "b.timer")), Verdict.FAILED, "a.socket, b"),
    (checks.check_units, other(failed_units=None), Verdict.WARNING, "systemd does not answer"),
    (checks.check_certificate, known(certificate_ends=NOW - 1), Verdict.FAILED, "expired"),
    (checks.check_certificate, known(certificate_ends=NOW + 3 * DAY), Verdict.WARNING, "3 days"),
    (checks.check_certificate, known(certificate_ends=None), Verdict.SKIPPED, "no certificate"),
)  # fmt: skip


@pytest.mark.parametrize(("check", "evidence", "verdict", "words"), CASES)
def test_each_check_can_fail(
    check: Callable[[Evidence], Check], evidence: Evidence, verdict: Verdict, words: str
) -> None:
    """It says what was found and, where somebody must act, what to do; on a good node it holds."""
    found = check(evidence)
    assert found.verdict is verdict
    assert words in found.text
    assert bool(found.hint) or verdict is Verdict.SKIPPED
    assert check(GOOD).verdict is Verdict.OK


def test_a_libvirt_that_still_starts_is_no_failure() -> None:
    """Until it was asked once there is nothing to say."""
    silent = dataclasses.replace(FACTS, virtualisation=Virtualisation(True))
    assert checks.check_libvirt(known(facts=silent, libvirt_known=False)).verdict is Verdict.SKIPPED


@pytest.mark.parametrize("step", list(Step))
def test_each_step_of_the_ladder_can_fail(step: Step) -> None:
    """The rung's own words, in the network's group or the engine's."""
    rungs = tuple(
        dataclasses.replace(rung, state=StepState.FAILING, text="It is broken.", hint="mend it")
        if rung.step is step
        else rung
        for rung in LADDER
    )
    reply = judge(known(ladder=rungs))
    bad = [(group.name, check) for group in reply.groups for check in group.checks if check.hint == "mend it"]
    assert [(check.name, check.verdict, check.text) for _, check in bad] == [
        (step.value, Verdict.FAILED, "It is broken.")
    ]
    place = "network" if step in (Step.LINK, Step.ADDRESS, Step.GATEWAY, Step.DNS) else "engine"
    assert [name for name, _ in bad] == [place]
    assert reply.verdict is Verdict.FAILED


def test_waiting_is_a_warning_where_a_person_must_act() -> None:
    """A step that waits for others says nothing yet; before the first look there is no ladder."""
    rungs = tuple(dataclasses.replace(rung, state=StepState.WAITING) for rung in LADDER)
    pending = known(ladder=rungs, state="pending")
    assert checks.check_rung(pending, Step.APPROVAL).verdict is Verdict.WARNING
    assert checks.check_rung(pending, Step.HEARTBEAT).verdict is Verdict.SKIPPED
    assert checks.check_rung(known(ladder=()), Step.LINK).verdict is Verdict.SKIPPED


def test_a_group_is_as_its_worst() -> None:
    """And so is the whole; a good node is good, and one without an engine skips that group."""
    good = judge(GOOD)
    assert [group.name for group in good.groups] == list(GROUPS)
    assert (good.verdict, {group.verdict for group in good.groups}) == (Verdict.OK, {Verdict.OK})
    alone = judge(known(engine="", ladder=LADDER[:4], certificate_ends=None))
    assert alone.groups[-1].verdict is Verdict.SKIPPED
    assert alone.verdict is Verdict.OK
    assert judge(other(clock_chip=False)).verdict is Verdict.WARNING
    assert worst(()) is Verdict.SKIPPED
    assert worst((Verdict.OK, Verdict.FAILED, Verdict.WARNING)) is Verdict.FAILED


def test_mounts_and_tracking_are_read() -> None:
    """The image and its medium are read-only by nature; chrony's words become seconds."""
    mounts = (
        "/dev/loop0 / squashfs ro 0 0\n/dev/sr0 /run/initramfs/live vfat ro,nodev 0 0\n"
        "/dev/sda4 /var/lib/virtnode ext4 ro,noatime 0 0\n/dev/sdb1 /data xfs rw,relatime 0 0\nodd\n"
    )
    assert read_only_mounts(mounts) == ("/var/lib/virtnode",)
    line = "C0000201,192.0.2.1,3,1700000000.1,-0.000012,0.1,0.1,1.2,0,0.1,0.01,0.02,64.2,{}\n"
    assert read_tracking(line.format("Normal")) == Tracking(True, -0.000012, "192.0.2.1")
    assert read_tracking(line.format("Not synchronised")) == Tracking(False, -0.000012, "192.0.2.1")
    assert read_tracking("506 Cannot talk to daemon\n") is None
    assert read_tracking(",".join("x" * 14)) is None


def test_evidence_is_collected_of_a_machine(tmp_path: Path) -> None:
    """From files and commands, whatever they lack."""
    root = make_machine(tmp_path, MACHINE)
    bare = collect_evidence(root, KNOWN, lambda argv: "")
    assert (bare.clock_chip, bare.room, bare.tracking, bare.failed_units) == (False, None, None, None)
    for folder in ("sys/class/rtc/rtc0", "var/lib/virtnode", "run/virtnode"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "run/virtnode/state.json").write_text(json.dumps({"kind": "disk", "problem": ""}))
    commands = Commands()
    commands.outputs[FAILED_COMMAND] = [{"unit": "a.service"}]
    commands.outputs[TRACKING_COMMAND] = "7F7F0101,,0,0,0,0,0,0,0,0,1,1,0,Not synchronised"
    found = collect_evidence(root, KNOWN, commands)
    assert found.clock_chip
    assert found.room is not None
    assert (found.tracking, found.failed_units) == (Tracking(False), ("a.service",))
