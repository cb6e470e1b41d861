"""Updates of a node on a file-backed disk: forward, back, refused, and cut off at every step."""

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nodeagent.update.bundle import verify_bundle
from nodeagent.update.health import Signs, find_missing, make_footing
from nodeagent.update.plan import title_of
from nodeagent.update.slot_disk import SLOT_PREFIX, SlotDisk
from nodeagent.update.steps import UpdateWork, slot_arguments, update_steps
from nodeagent.update.update import TELL_SECONDS
from nodelib.bus_update import PackageChange, RollBack, UpdateRun, UpdateSource, UpdateState
from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Rung, Step, StepState
from nodelib.run import run
from nodelib.slot_menu import read_slot_config
from nodelib.slots import ESP
from nodelib.update_bundle import INITRAMFS, KERNEL, MANIFEST, ROOT_IMAGE, SIGNATURES
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.update.worlds import PAYLOAD, World, bundle_for, make_world, use_up_tries
from tests.update_bundles import BundleOptions, make_bundle, make_manifest, sign, write_archive

STEPS = ("forget", "close", "image", "kernel", "initramfs", "config", "trial")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Install a node."""
    world = make_world(tmp_path)
    yield world
    world.update.stop()


def update(world: World, bundle: Path, *, restart: bool = True) -> None:
    """Update, and wait."""
    world.update.run(UpdateRun(str(bundle), restart), "alice")
    world.update.wait(60)


def keep(world: World) -> None:
    """Let the agent look after the trial until it is over."""
    world.update.begin()
    wait_for(lambda: world.update.view().state is UpdateState.KEPT)


def kinds(world: World) -> list[str]:
    """Name the events."""
    return [event.kind for event in world.events.waiting()]


def check_disk(world: World) -> None:
    """Have other people's tools look at table and boot partition."""
    run(["sfdisk", "--verify", world.work.device])
    region, esp = world.work.region(ESP), world.root.parent / "esp.img"
    argv = ["dd", f"if={world.work.device}", f"of={esp}", "bs=1M", "status=none"]
    run([*argv, f"skip={region.start}", f"count={region.size}"])
    run(["fsck.vfat", "-n", esp])


def test_an_update_is_written_tried_and_kept(world: World, tmp_path: Path) -> None:
    """Slot B has what was signed; the next start tries it, and it is what starts from then on."""
    bundle = bundle_for(tmp_path, BundleOptions(arguments=("quiet", "mitigations=auto")))
    update(world, bundle)
    view = world.update.view()
    assert (view.state, view.version, view.slot, view.tries_left) == (UpdateState.READY, "2.0", "b", 3)
    assert world.deeds == [("systemctl", "reboot")]
    check_disk(world)
    root = PAYLOAD[ROOT_IMAGE]
    assert world.slot_bytes("b", len(root)) == root
    for name in (KERNEL, INITRAMFS):
        assert world.read_file(f"b/{name}") == PAYLOAD[name]
    config = read_slot_config(world.read_file("b/slot.cfg").decode())
    identifier = world.work.identifiers["virtnode-b"].lower()
    assert config.title == "virtnode 2.0"
    assert config.arguments[0] == f"root=live:PARTUUID={identifier}"
    assert config.arguments[-2:] == ("quiet", "mitigations=auto")
    assert not world.update.view().can_roll_back
    assert world.power_on() == "b"
    assert world.update.view().can_roll_back
    keep(world)
    assert world.environment() == {"slot": "b"}
    assert (world.root / "run/virtnode/kept").exists()
    assert world.update.view().can_roll_back
    assert kinds(world) == ["update-started", "update-ready", "update-trial", "update-kept"]
    assert [world.power_on(), world.power_on()] == ["b", "b"]
    world.update.begin()
    assert kinds(world)[-1] == "update-kept"
    check_disk(world)


@pytest.mark.parametrize("is_connected", [True, False])
def test_a_restart_waits_for_an_engine_that_listens(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_connected: bool
) -> None:
    """What was done is told before the node goes; where nobody listens it goes at once."""
    waited: list[float] = []
    monkeypatch.setattr(world.events, "wait_until_reported", waited.append)
    world.signs = dataclasses.replace(world.signs, is_connected=is_connected)
    update(world, bundle_for(tmp_path))
    assert waited == [TELL_SECONDS] * is_connected
    assert world.deeds == [("systemctl", "reboot")]


def test_an_image_that_never_passes_is_taken_back(world: World, tmp_path: Path) -> None:
    """After three tries the old one runs again, says what was missed, and does not offer the broken one."""
    update(world, bundle_for(tmp_path))
    world.signs = Signs(libvirt_answers=True, failed_units=("broken.service",))
    started: list[str] = []

    def look(slot: str) -> None:
        started.append(slot)
        world.update.begin()
        if slot == "b":
            wait_for(lambda: world.update.view().waits_for)

    assert use_up_tries(world, look) == "a"
    assert started == ["b", "b", "b", "a"]
    view = world.update.view()
    assert (view.state, view.waits_for) == (UpdateState.ROLLED_BACK, ("the unit broken.service failed",))
    assert not view.can_roll_back
    assert world.environment()["failed"] == "b"
    assert [event.severity.value for event in world.events.waiting()][-1] == "error"
    assert "broken.service" in world.update.notices[0].text
    with pytest.raises(VirtnodeError, match="no image that ever passed"):
        world.update.roll_back(RollBack(), "alice")
    # Told once, however often the agent starts.
    world.restart_agent()
    world.update.begin()
    assert kinds(world).count("update-rolled-back") == 1


def test_an_image_whose_agent_never_runs_is_taken_back(world: World, tmp_path: Path) -> None:
    """Nobody writes anything down in the new slot; the old one finds out by itself."""
    update(world, bundle_for(tmp_path))
    assert use_up_tries(world, lambda slot: None) == "a"
    world.update.begin()
    view = world.update.view()
    assert (view.state, view.error) == (UpdateState.ROLLED_BACK, "it did not pass in 3 tries")
    # And the next update may come.
    update(world, bundle_for(tmp_path, BundleOptions(version="2.1")))
    assert world.power_on() == "b"
    keep(world)


def test_a_kept_image_can_be_taken_back_and_forth(world: World, tmp_path: Path) -> None:
    """By a person: the other slot starts from then on, and is no update."""
    update(world, bundle_for(tmp_path))
    world.power_on()
    keep(world)
    for slot in ("a", "b", "a"):
        world.update.roll_back(RollBack(), "alice")
        assert world.power_on() == slot
        world.update.begin()
        view = world.update.view()
        assert (view.state, view.error, view.can_roll_back) == (
            UpdateState.ROLLED_BACK,
            "taken back by alice",
            True,
        )
    assert world.update.notices == ()


def test_what_is_on_trial_can_be_taken_back(world: World, tmp_path: Path) -> None:
    """Before its first start nothing restarts; during the trial the old image comes back at once."""
    bundle = bundle_for(tmp_path)
    update(world, bundle, restart=False)
    assert world.deeds == []
    world.update.roll_back(RollBack(), "alice")
    assert (world.deeds, world.power_on()) == ([], "a")
    update(world, bundle)
    assert world.power_on() == "b"
    world.signs = Signs()
    world.update.begin()
    with pytest.raises(VirtnodeError, match="on trial itself"):
        update(world, bundle)
    world.deeds.clear()
    world.update.roll_back(RollBack(), "alice")
    assert (world.deeds, world.power_on()) == ([("systemctl", "reboot")], "a")


def make_steps(world: World, bundle: Path, stack: contextlib.ExitStack) -> UpdateWork:
    """Get the writing of a bundle ready."""
    source = stack.enter_context(bundle.open("rb"))
    found = verify_bundle(source, world.root, lambda count: None)
    arguments = slot_arguments(["root=live:PARTUUID=x", "quiet"], world.disk, ())
    return UpdateWork(world.disk, source, found, title_of(found.manifest), arguments)


@pytest.mark.parametrize("slot", ["a", "b"])
@pytest.mark.parametrize("count", range(len(STEPS) + 1))
def test_a_power_cut_after_any_step_starts_what_was_started_before(
    world: World, tmp_path: Path, count: int, slot: str
) -> None:
    """Onto a slot that holds nothing, and onto one that holds the image before; the next try succeeds."""
    running = "a"
    if slot == "a":
        update(world, bundle_for(tmp_path))
        running = world.power_on()
        keep(world)
    bundle = bundle_for(tmp_path, BundleOptions(version="3.0"))
    with contextlib.ExitStack() as stack:
        work = make_steps(world, bundle, stack)
        assert tuple(step.name for step in update_steps(work)) == STEPS
        for step in update_steps(work)[:count]:
            step.do(work, lambda count: None)
    check_disk(world)
    started = world.power_on()
    assert started == (slot if count == len(STEPS) else running)
    assert world.read_file(f"{running}/slot.cfg")
    if count == len(STEPS):
        return
    world.update.begin()
    # Whatever the slot holds now, it never passed.
    assert world.update.view().can_roll_back == (slot == "a" and count == 0)
    update(world, bundle)
    assert world.power_on() == slot
    keep(world)
    check_disk(world)


def test_an_update_that_was_cut_off_is_told(world: World, tmp_path: Path) -> None:
    """The machine lost its power in the midst: it failed, and nothing was lost but the other slot."""
    bundle = bundle_for(tmp_path)
    record = world.root / "var/lib/virtnode/update.json"
    update(world, bundle)
    record.write_text(record.read_text().replace('"ready"', '"writing"'))
    with contextlib.ExitStack() as stack:
        work = make_steps(world, bundle, stack)
        for step in update_steps(work)[:3]:
            step.do(work, lambda count: None)
    assert world.power_on() == "a"
    world.update.begin()
    assert world.update.view().state is UpdateState.FAILED
    assert kinds(world)[-1] == "update-failed"


def digest_of(world: World) -> str:
    """Sum up the disk."""
    with world.work.device.open("rb") as disk:
        return hashlib.file_digest(disk, "sha256").hexdigest()


def broken_bundles(folder: Path) -> Iterator[tuple[Path, Code, str]]:
    """Make every kind of bundle that must be refused."""
    stranger = Ed25519PrivateKey.from_private_bytes(b"a key that no image ever trusted")
    good = bundle_for(folder).read_bytes()
    manifest = make_manifest(PAYLOAD, BundleOptions())
    signed = {MANIFEST: manifest, SIGNATURES: sign(manifest, Ed25519PrivateKey.from_private_bytes(b"k" * 32))}
    yield make_bundle(folder / "1", PAYLOAD, None, stranger), Code.DENIED, "by no key that this image trusts"
    yield write_archive(folder / "2", {**signed, **PAYLOAD}), Code.DENIED, "by no key"
    forged = {MANIFEST: manifest.replace(b"2.0", b"9.9"), SIGNATURES: sign(manifest, *KEYS), **PAYLOAD}
    yield write_archive(folder / "3", forged), Code.DENIED, "by no key"
    unsigned = {MANIFEST: manifest, SIGNATURES: sign(manifest), **PAYLOAD}
    yield write_archive(folder / "4", unsigned), Code.DENIED, "not signed"
    right = {MANIFEST: manifest, SIGNATURES: sign(manifest, *KEYS)}
    changed = PAYLOAD[ROOT_IMAGE][:-1] + b"!"
    yield (
        write_archive(folder / "5", {**right, **PAYLOAD, ROOT_IMAGE: changed}),
        Code.INVALID,
        "root.squashfs is not what was signed",
    )
    shorter = {**right, **PAYLOAD, KERNEL: b"x"}
    yield write_archive(folder / "6", shorter), Code.INVALID, "vmlinuz has 1 bytes"
    turned = {**right, INITRAMFS: PAYLOAD[INITRAMFS], KERNEL: b""}
    yield write_archive(folder / "7", turned), Code.INVALID, "vmlinuz is not where it belongs"
    yield write_archive(folder / "8", {**right, **PAYLOAD, "more": b""}), Code.INVALID, "more in it"
    for number, size in enumerate((len(good) // 2, 3000, 700, 0)):
        path = folder / f"cut{number}"
        path.write_bytes(good[:size])
        yield path, Code.INVALID, "bundle"
    (folder / "9").write_bytes(b"no archive at all" * 1000)
    yield folder / "9", Code.INVALID, "no update bundle"
    for options, words in (
        (BundleOptions(product="other"), "the bundle is for other, and this is virtnode"),
        (BundleOptions(architecture="aarch64"), "for aarch64, and this machine is x86_64"),
    ):
        yield make_bundle(folder / options.product, PAYLOAD, options), Code.CONFLICT, words
    for number, options in enumerate(
        (
            BundleOptions(schema=2),
            BundleOptions(version="2.0\nset x=y"),
            BundleOptions(arguments=("quiet;", "x")),
            BundleOptions(arguments=("two words",)),
        )
    ):
        yield make_bundle(folder / f"odd{number}", PAYLOAD, options), Code.INVALID, ""
    large = {**PAYLOAD, ROOT_IMAGE: bytes(9 << 20)}
    yield make_bundle(folder / "large", large), Code.CONFLICT, "slot a has 8 MiB, and the image 9: no room"
    heavy = {**PAYLOAD, INITRAMFS: bytes(130 << 20)}
    yield make_bundle(folder / "heavy", heavy), Code.CONFLICT, "the boot partition has"
    many = BundleOptions(arguments=tuple(f"x{number}=1" for number in range(400)))
    yield make_bundle(folder / "many", PAYLOAD, many), Code.CONFLICT, "letters, and there is room for 1919"
    yield folder / "none", Code.NOT_FOUND, "no file"


def refusal(world: World, bundle: Path) -> str:
    """Return why a bundle was refused: at once, or once all of it was read."""
    try:
        world.update.run(UpdateRun(str(bundle)), "alice")
    except VirtnodeError as error:
        return f"{error.code.value}: {error.message}"
    world.update.wait(60)
    view = world.update.view()
    assert view.state is UpdateState.FAILED
    return view.error


KEYS = (Ed25519PrivateKey.from_private_bytes(b"a key of the tests, not a secret"),)


def test_what_is_wrong_is_refused_before_the_first_write(world: World, tmp_path: Path) -> None:
    """Signature, sums, order, length, product, architecture, room: not a byte of the disk changes."""
    update(world, bundle_for(tmp_path))
    world.power_on()
    keep(world)
    before = digest_of(world)
    folder = tmp_path / "broken"
    folder.mkdir()
    for bundle, code, words in broken_bundles(folder):
        found = refusal(world, bundle)
        # What is found at once has its code.
        assert found.partition(":")[0] in (code.value, "the update bundle cannot be used"), (bundle, found)
        assert words in found, (bundle, found)
        assert digest_of(world) == before, bundle
    assert world.deeds == [("systemctl", "reboot")]


def test_an_image_without_keys_takes_no_update(world: World, tmp_path: Path) -> None:
    """Whoever built it decided so."""
    (world.root / "usr/lib/virtnode/update-keys/release.pem").unlink()
    with pytest.raises(VirtnodeError, match="trusts no key"):
        world.update.plan(UpdateSource(str(bundle_for(tmp_path))))


def test_the_plan_tells_everything(world: World, tmp_path: Path) -> None:
    """Versions, slot, key, packages, and what speaks against it."""
    options = BundleOptions(version="0.9", packages={"bash": "5.2", "new": "1"})
    plan = world.update.plan(UpdateSource(str(bundle_for(tmp_path, options))))
    assert (plan.version, plan.slot, plan.signed_by, plan.replaces) == ("0.9", "b", "release", "")
    assert plan.packages == (
        PackageChange("bash", "5.1", "5.2"),
        PackageChange("new", "", "1"),
        PackageChange("old", "1", ""),
    )
    assert plan.size_bytes == sum(map(len, PAYLOAD.values()))
    assert plan.warnings == ("it is older than what runs: 1.0",)
    assert plan.problems == ()
    world.put_file("grub/grub.cfg", b"an old menu")
    line = "1 2 8:2 / /mnt rw - vfat /dev/sda2 rw\n"
    (world.root / "proc/self/mountinfo").write_text(line)
    problems = world.update.plan(UpdateSource(str(bundle_for(tmp_path)))).problems
    assert [problem.partition(":")[0] for problem in problems] == [
        "this disk's boot menu knows no trial",
        "the boot partition is mounted",
    ]


def test_virtual_machines_stand_in_the_way(world: World, tmp_path: Path) -> None:
    """They are named before anything is fetched, unless nobody restarts."""
    folder = world.root / "run/libvirt/qemu"
    folder.mkdir(parents=True)
    for name in ("vm1.pid", "vm1.xml"):
        (folder / name).write_text("1")
    bundle = bundle_for(tmp_path)
    with pytest.raises(VirtnodeError, match="virtual machines run: vm1"):
        world.update.run(UpdateRun(str(bundle)), "alice")
    update(world, bundle, restart=False)
    assert (world.update.view().state, world.deeds) == (UpdateState.READY, [])


def test_a_medium_is_not_updated(world: World, tmp_path: Path) -> None:
    """What was not started from a disk with slots says what to do."""
    (world.root / "proc/cmdline").write_text("root=live:CDLABEL=VIRTNODE-12345678\n")
    world.update.begin()
    assert world.update.view().state is UpdateState.IDLE
    for call in (
        lambda: world.update.plan(UpdateSource(str(bundle_for(tmp_path)))),
        lambda: world.update.roll_back(RollBack(), "alice"),
    ):
        with pytest.raises(VirtnodeError, match="not started from a disk with two slots"):
            call()


def test_a_lost_record_does_not_stop_a_trial(world: World, tmp_path: Path) -> None:
    """The state disk is gone: the menu alone knows of the trial, and the image is kept all the same."""
    update(world, bundle_for(tmp_path))
    (world.root / "var/lib/virtnode/update.json").unlink()
    assert world.power_on() == "b"
    keep(world)
    assert world.environment() == {"slot": "b"}


def test_an_image_without_its_state_is_not_kept() -> None:
    """It would forget who the node is: nothing else has to be wrong."""
    ladder = tuple(Rung(step, StepState.OK, "") for step in Step)
    well = Signs(ladder, libvirt_answers=True)
    assert find_missing(well, make_footing(well)) == ()
    ill = dataclasses.replace(well, state_problem="fsck ended with status 4")
    assert find_missing(ill, make_footing(well)) == (
        "the state disk cannot be used: fsck ended with status 4",
    )


def test_arguments_go_from_slot_to_slot() -> None:
    """The root is the slot's own, a person's stay, and what the image adds comes once, by name."""
    own = ("root=live:PARTUUID=1", "rd.live.image", "console=ttyS1", "node.state=5", "mine=1")
    identifiers = {f"{SLOT_PREFIX}a": "1", f"{SLOT_PREFIX}b": "2"}
    disk = SlotDisk(Path("disk"), ((), identifiers), "a")
    found = slot_arguments(own, disk, ("console=tty0", "mine=2", "fresh", "rd.live.image"))
    assert found == ("root=live:PARTUUID=2", *own[1:], "fresh")
    of_an_image = slot_arguments(("root=live:PARTLABEL=virtnode-a", "mine=1"), disk, ())
    assert of_an_image == ("root=live:PARTLABEL=virtnode-b", "mine=1")


def test_signs_are_compared_with_those_before() -> None:
    """What was wrong before the update is not its fault; all else is named."""
    ladder = tuple(Rung(step, StepState.OK, "") for step in Step)
    well = Signs(ladder, libvirt_answers=True, failed_units=("old.service",), problems=("old",))
    before = make_footing(dataclasses.replace(well, is_connected=True))
    assert (before.rungs, before.engine_was_reachable) == (("link", "address", "gateway"), True)
    assert find_missing(dataclasses.replace(well, is_connected=True), before) == ()
    assert find_missing(Signs(is_starting=True, change_waits=True, problems=("new",)), before) == (
        "the system is still starting",
        "libvirt does not answer",
        "a change of the configuration waits for its confirmation",
        "the configuration is not in force: new",
        "the network is not as it was: link",
        "the network is not as it was: address",
        "the network is not as it was: gateway",
        "the engine, which was reached before, is not",
    )
