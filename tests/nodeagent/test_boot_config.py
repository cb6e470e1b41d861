"""The embedded configuration and the medium labelled VIRTNODE: found, checked, and laid before the agent."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.boot_config import (
    ESP_DEVICE,
    INITRAMFS_AREA,
    ISO_AREA,
    MEDIUM_DEVICE,
    collect_sources,
    read_report,
)
from nodeagent.intent_sources import EMBEDDED, MEDIUM, load_intent
from nodelib.bus import SourceState
from nodelib.config_area import AREA_FILE, TRUSTED_KEYS, ConfigArea, pack_area
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, run
from tests.nodeagent.machines import make_machine

LIVE, DISK = "root=live:CDLABEL=X quiet\n", "root=live:PARTLABEL=virtnode-a quiet\n"
TEXT = b'[system]\nhostname = "embedded"\n'


@dataclass
class Mounts:
    """Mounts folders in place of devices, by copying them; writes down what was asked."""

    devices: dict[str, Path] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str | Path], *, check: bool, timeout: float) -> Result:
        """Mount or unmount."""
        words = tuple(str(word) for word in argv)
        self.calls.append(words)
        if words[0] == "umount":
            shutil.rmtree(words[1])
            return Result(words, 0, "", "")
        source = next((path for name, path in self.devices.items() if words[-2].endswith(name)), None)
        if source is None:
            raise VirtnodeError(Code.FAILED, "mount failed: no file system that is known")
        shutil.copytree(source, words[-1], dirs_exist_ok=True)
        return Result(words, 0, "", "")


def machine(tmp_path: Path, files: dict[str, bytes], cmdline: str = LIVE) -> Path:
    """Make a machine with these files."""
    root = make_machine(tmp_path / "root", {"proc/cmdline": cmdline})
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def folder(path: Path, files: dict[str, bytes]) -> Path:
    """Make what a device holds."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


@pytest.mark.parametrize("place", [ISO_AREA, INITRAMFS_AREA])
def test_an_embedded_configuration_is_a_source(tmp_path: Path, place: str) -> None:
    """Of an ISO where dracut mounts it, of a PXE folder where the initramfs leaves it; for root alone."""
    root = machine(tmp_path, {place: pack_area(ConfigArea(TEXT))})
    report = collect_sources(root, Mounts())
    assert report.problems == ()
    assert report.lines[0] == "configuration: embedded in the boot medium: used"
    assert (root / EMBEDDED).stat().st_mode & 0o777 == 0o600
    assert load_intent(root, LIVE).intent.system.hostname == "embedded"
    assert read_report(root) == report


def test_a_disk_has_it_in_its_boot_partition(tmp_path: Path) -> None:
    """Mounted to be read alone, and not for longer; another medium does not look at it."""
    esp = folder(tmp_path / "esp", {AREA_FILE: pack_area(ConfigArea(TEXT))})
    mounts = Mounts({ESP_DEVICE: esp})
    root = machine(tmp_path, {ESP_DEVICE: b""}, DISK)
    assert collect_sources(root, mounts).problems == ()
    assert load_intent(root, DISK).intent.system.hostname == "embedded"
    assert [words[0] for words in mounts.calls] == ["mount", "umount"]
    assert "ro,nosuid,nodev,noexec" in mounts.calls[0]
    (root / "proc/cmdline").write_text(LIVE)
    assert not collect_sources(root, Mounts()).problems
    assert not (root / EMBEDDED).exists()


def test_a_plugged_in_medium_wins_over_what_is_embedded(tmp_path: Path) -> None:
    """Key by key: what the medium does not say stays."""
    embedded = TEXT + b'timezone = "UTC"\n'
    stick = folder(tmp_path / "stick", {"node.toml": b'[system]\nhostname = "stick"\n'})
    root = machine(tmp_path, {ISO_AREA: pack_area(ConfigArea(embedded)), MEDIUM_DEVICE: b""})
    report = collect_sources(root, Mounts({MEDIUM_DEVICE: stick}))
    assert report.lines[1] == "configuration: a medium labelled VIRTNODE: used"
    loaded = load_intent(root, LIVE)
    assert (loaded.intent.system.hostname, loaded.intent.system.timezone) == ("stick", "UTC")
    assert loaded.origins["system.hostname"] == f"/{MEDIUM}"


def test_without_any_nothing_is_wrong(tmp_path: Path) -> None:
    """A blank area, and no medium."""
    root = machine(tmp_path, {ISO_AREA: pack_area(ConfigArea())})
    report = collect_sources(root, Mounts())
    assert (report.problems, len(report.lines)) == ((), 2)
    assert not (root / EMBEDDED).exists()
    assert read_report(tmp_path / "nowhere").problems == ()


def test_what_is_wrong_is_left_out_and_told(tmp_path: Path) -> None:
    """A damaged area, a document with a mistake, a medium that cannot be mounted; what was there goes."""
    damaged = bytearray(pack_area(ConfigArea(TEXT)))
    damaged[515] ^= 1
    wrong = pack_area(ConfigArea(b"[system]\nhostname = 5\n"))
    for area, said in ((bytes(damaged), "checksum"), (wrong, ":2: system.hostname: 5 is not text")):
        root = machine(tmp_path / said[:4], {ISO_AREA: area, EMBEDDED: TEXT, MEDIUM_DEVICE: b""})
        problems = collect_sources(root, Mounts()).problems
        assert said in problems[0]
        assert "no file system that is known" in problems[1]
        assert not (root / EMBEDDED).exists()


def test_where_keys_are_trusted_only_what_they_signed_counts(tmp_path: Path) -> None:
    """Of the area as of the medium; the signature is that of openssl as well."""
    key, public, text, signature = (tmp_path / name for name in ("key", "key.pem", "text", "sig"))
    text.write_bytes(TEXT)
    run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key])
    run(["openssl", "pkey", "-in", key, "-pubout", "-out", public])
    run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", text, "-out", signature])
    good = signature.read_bytes()
    for one, said in ((b"", "is not signed"), (b"x" * 64, "by no key"), (good, "")):
        stick = folder(
            tmp_path / f"stick{len(said)}", {"node.toml": TEXT} | ({"node.toml.sig": one} if one else {})
        )
        files = {ISO_AREA: pack_area(ConfigArea(TEXT, one)), MEDIUM_DEVICE: b""}
        root = machine(tmp_path / f"m{len(said)}", files | {f"{TRUSTED_KEYS}/a.pem": public.read_bytes()})
        problems = collect_sources(root, Mounts({MEDIUM_DEVICE: stick})).problems
        assert len(problems) == (2 if said else 0)
        assert all(said in problem for problem in problems)
        assert (root / EMBEDDED).exists() == (not said)


def test_what_came_of_each_source_is_left_for_the_status(tmp_path: Path) -> None:
    """A word for each, in order, for the agent to tell with what it finds itself."""
    root = machine(tmp_path, {ISO_AREA: pack_area(ConfigArea(TEXT)), MEDIUM_DEVICE: b""})
    stick = folder(tmp_path / "stick", {"node.toml": b"wrong = 1"})
    collect_sources(root, Mounts({MEDIUM_DEVICE: stick}))
    assert [(one.name, one.state, one.text) for one in read_report(root).steps] == [
        ("embedded", SourceState.USED, "used"),
        ("medium VIRTNODE", SourceState.NONE, "left out"),
    ]
    (root / ISO_AREA).unlink()
    (root / MEDIUM_DEVICE).unlink()
    collect_sources(root, Mounts())
    assert {one.text for one in read_report(root).steps} == {"none"}
