"""What people get wrong, on the real command line: one clear line, a hint, the right status, nothing lost."""

import fcntl
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.doctor import GROUPS
from image.plan import CHECKOUT
from image.workspace import LOCK_NAME
from tests.image.archives import make_archive, served
from tests.image.cli import Ended, interrupt_cli, loop_devices, mounts_below, run_cli
from tests.image.trees import make_tree

NODE = CHECKOUT / "kickstarts/node-debian.ks"
SMALL = "%addon virtnode_image\nbase debian\nsuite trixie\n%end\n%packages\nsystemd\n%end\n"
OLD = {"virtnode-0.1.0-x86_64.iso": "old", "pxe/vmlinuz": "old"}


@pytest.fixture
def kickstart(tmp_path: Path) -> Path:
    """Write a small kickstart that is right."""
    path = tmp_path / "node.ks"
    path.write_text(SMALL)
    return path


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """Serve an archive that can be planned with, and that has no packages."""
    make_archive(tmp_path / "www")
    with served(tmp_path / "www") as url:
        yield f"{url}/debian"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Make an output folder with the artefacts of an earlier build."""
    return make_tree(tmp_path / "out", OLD)


def contents(folder: Path) -> dict[str, str]:
    """Read every file of an output folder, its lock and what is large aside."""
    files = {path for path in folder.rglob("*") if path.is_file() and path.name != LOCK_NAME}
    return {str(path.relative_to(folder)): path.read_text() for path in files if path.stat().st_size < 1000}


def check(ended: Ended, status: int, error: str, hint: str) -> None:
    """Demand one error and one hint, each a line, the status, and no traceback."""
    assert "Traceback" not in ended.stderr
    assert ended.status == status, ended.stderr
    assert [line.partition(": ")[0] for line in ended.lines] == ["error", "hint"], ended.stderr
    assert error in ended.lines[0]
    assert hint in ended.lines[1]


def test_an_unknown_command_has_its_place(tmp_path: Path) -> None:
    """A command that is not honoured is told with file and line, by check and by build alike."""
    path = tmp_path / "node.ks"
    path.write_text(SMALL + "bogus --x\n")
    for verb in ("check", "plan", "build"):
        ended = run_cli(verb, path, cwd=tmp_path)
        assert ended.status == 2
        assert ended.stderr.startswith("node.ks:8: ")
        assert "bogus" in ended.stderr
        assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\0binary", b""])
def test_a_kickstart_that_is_none_is_told(content: bytes | None, tmp_path: Path) -> None:
    """A missing, a binary and an empty file are wrong input, each named."""
    path = tmp_path / "absent.ks"
    if content is not None:
        path.write_bytes(content)
    for verb in ("check", "plan", "build"):
        ended = run_cli(verb, path)
        assert ended.status == 2, ended.stderr
        assert str(path) in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_folder_is_no_kickstart(tmp_path: Path) -> None:
    """A folder in its place is told, too."""
    ended = run_cli("check", tmp_path)
    assert ended.status == 2
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("value", ["abc", "-1", str(2**32)])
def test_a_wrong_source_date_epoch_is_told(value: str, kickstart: Path, out: Path, mirror: str) -> None:
    """The time of all files is asked for before anything is fetched."""
    words = ("build", kickstart, "--out", out, "--mirror", mirror)
    ended = run_cli(*words, env={"SOURCE_DATE_EPOCH": value})
    assert ended.status == 2
    assert ended.stderr.splitlines() == [
        f"SOURCE_DATE_EPOCH is '{value}', and must be whole seconds since 1970",
        "hint: as date +%s prints them",
    ]
    assert contents(out) == OLD


def test_an_unknown_medium_is_told(kickstart: Path) -> None:
    """The message lists the media there are."""
    ended = run_cli("build", kickstart, "--media", "floppy")
    assert ended.status == 2
    assert "unknown medium floppy; there are iso, pxe, disk" in ended.stderr


def test_an_unreachable_repository_is_told(kickstart: Path, out: Path) -> None:
    """The error has the address that was tried; what was built before stays."""
    ended = run_cli("build", kickstart, "--out", out, "--mirror", "http://127.0.0.1:9/debian")
    check(ended, 1, "http://127.0.0.1:9/debian/dists/trixie/InRelease cannot be read", "--mirror URL")
    assert contents(out) == OLD


def test_a_missing_tool_is_told_before_any_work(
    kickstart: Path, out: Path, mirror: str, tmp_path: Path
) -> None:
    """Every other tool being there, the one that is not is named, and nothing has begun."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in {tool.name for tools in GROUPS.values() for tool in tools} - {"mksquashfs"}:
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    words = ("build", kickstart, "--out", out, "--cache", tmp_path / "cache", "--mirror", mirror)
    ended = run_cli(*words, env={"PATH": str(tools)})
    if "building needs root" in ended.stderr:
        pytest.skip("a build needs root before it needs tools")
    check(ended, 1, "this host lacks mksquashfs (it compresses the root)", "virtnode-image doctor")
    assert contents(out) == OLD
    assert not (tmp_path / "cache/stages").exists()


@pytest.mark.integration
def test_who_is_not_root_is_told(kickstart: Path, out: Path, mirror: str, tmp_path: Path) -> None:
    """An ordinary user may check and plan, and is told what building needs."""
    # The right to read everything stands in for a Python that is installed where everybody can read it.
    reader = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *reader, "--"]
    assert run_cli("plan", kickstart, "--mirror", mirror, prefix=prefix).status == 0
    ended = run_cli("build", kickstart, "--out", out, "--mirror", mirror, prefix=prefix)
    check(ended, 1, "building needs root", "sudo")
    assert contents(out) == OLD


@pytest.mark.integration
def test_a_second_build_in_one_folder_is_told(kickstart: Path, out: Path, mirror: str) -> None:
    """While one build holds the folder another is busy, and leaves it alone."""
    with (out / LOCK_NAME).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ended = run_cli("build", kickstart, "--out", out, "--mirror", mirror)
    check(ended, 1, f"another build is writing to {out}", "--out")
    assert contents(out) == OLD


@pytest.mark.integration
@pytest.mark.parametrize("option", ["--out", "--cache"])
def test_a_file_in_place_of_a_folder_is_told(
    option: str, kickstart: Path, out: Path, mirror: str, tmp_path: Path
) -> None:
    """A folder that cannot be made is one line and not a traceback."""
    folders = {"--out": out, "--cache": tmp_path / "cache", option: kickstart}
    words: list[str | Path] = [word for pair in folders.items() for word in pair]
    check(run_cli("build", kickstart, "--mirror", mirror, *words), 1, str(kickstart), option)


@pytest.mark.integration
def test_a_misspelt_package_is_told(out: Path, tmp_path: Path) -> None:
    """The real archive's answer names the package; the status is that of wrong input."""
    path = tmp_path / "node.ks"
    path.write_text(SMALL.replace("%packages\n", "%packages\nsytemd-netwrkd\n"))
    ended = run_cli("build", path, "--out", out, "--cache", tmp_path / "cache")
    check(ended, 2, "no repository has the package sytemd-netwrkd", "misspelling")
    assert contents(out) == OLD
    assert mounts_below(tmp_path) == []
    assert not [stage for stage in (tmp_path / "cache/stages/packages").iterdir() if stage.is_dir()]


@pytest.mark.integration
def test_a_wrong_key_is_told(out: Path, tmp_path: Path) -> None:
    """An archive that another key has signed is refused, and nothing of it is kept."""
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--batch", "--quiet", "--homedir", str(home)]
    argv = [*gpg, "--passphrase", "", "--quick-generate-key", "nobody@example.invalid", "rsa2048"]
    subprocess.run(argv, check=True, capture_output=True)
    subprocess.run([*gpg, "--output", str(tmp_path / "key.gpg"), "--export"], check=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    path = tmp_path / "node.ks"
    path.write_text(SMALL.replace("suite trixie\n", "suite trixie\ngpgkey key.gpg\n"))
    ended = run_cli("build", path, "--out", out, "--cache", tmp_path / "cache")
    check(ended, 1, "a repository is not signed by a key of the keyring", "gpgkey")
    assert contents(out) == OLD
    assert not [stage for stage in (tmp_path / "cache/stages/packages").iterdir() if stage.is_dir()]


def on_a_small_disk(folder: Path, size: str) -> list[str]:
    """Build the command that puts a small disk at a folder, in a mount namespace of its own."""
    folder.mkdir(exist_ok=True)
    mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, str(folder)]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("size", "told"), [("20m", "packages take at least 300 MB"), ("320m", "the disk is full: mmdebstrap: ")]
)
def test_a_full_cache_disk_is_told(size: str, told: str, kickstart: Path, out: Path, tmp_path: Path) -> None:
    """Packages that find no room are an error about the disk, and not about packages."""
    cache = tmp_path / "cache"
    words = ("build", kickstart, "--out", out, "--cache", cache)
    ended = run_cli(*words, prefix=on_a_small_disk(cache, size))
    check(ended, 1, told, "free some space")
    assert contents(out) == OLD


@pytest.fixture(scope="module")
def build(node_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """Make a quick build whose stages are in the cache: the words that repeat it."""
    out = tmp_path_factory.mktemp("built")
    words: list[str | Path] = [
        "build",
        "--profile=dev",
        "--media=iso",
        "--size-budget=500MB",
        "--cache",
        node_cache,
    ]
    ended = run_cli(*words, NODE, "--out", out)
    assert ended.status == 0, ended.stderr
    assert {path.suffix for path in out.iterdir()} >= {".iso", ".json"}
    shutil.rmtree(out)
    return words


@pytest.mark.integration
def test_a_full_output_disk_is_told(build: list[str | Path], tmp_path: Path) -> None:
    """The half that found room is removed again: the next build can begin."""
    out = tmp_path / "out"
    names = f'"$@"; status=$?; ls -A {out} >&2; exit $status'
    prefix = [*on_a_small_disk(out, "30m"), "sh", "-c", names, "sh"]
    ended = run_cli(*build, NODE, "--out", out, prefix=prefix)
    check(ended, 1, "the disk is full", "free some space")
    assert ended.stderr.splitlines()[-1] == LOCK_NAME


@pytest.mark.integration
def test_an_iso_over_budget_leaves_the_old_one(build: list[str | Path], out: Path) -> None:
    """The error has both sizes and the way to find out; nothing in the folder has changed."""
    ended = run_cli(*build, "--size-budget=1MB", NODE, "--out", out)
    check(ended, 1, "and its budget is 1.0 MB", "why-size")
    assert contents(out) == OLD
    assert {path.name for path in out.iterdir()} == {"pxe", "virtnode-0.1.0-x86_64.iso", LOCK_NAME}


@pytest.mark.integration
def test_a_post_script_that_fails_has_its_place(build: list[str | Path], out: Path, tmp_path: Path) -> None:
    """--erroronfail stops the build with file, line, status and the script's last words."""
    path = tmp_path / "node.ks"
    path.write_text(f"%include {NODE}\n%post --erroronfail\necho no such luck >&2\nexit 7\n%end\n")
    ended = run_cli(*build, path, "--out", out)
    check(ended, 1, f"{path}:2: %post ended with status 7: no such luck", "--erroronfail")
    assert contents(out) == OLD


POINTS = [(step, signal.SIGINT) for step in ("tree", "programs", "lint", "squashfs", "iso")]
"""Steps after which a build is interrupted, in the middle of the next one, and how."""


@pytest.mark.integration
@pytest.mark.parametrize(("step", "number"), [*POINTS, ("squashfs", signal.SIGTERM)])
def test_an_interruption_leaves_nothing(
    step: str, number: int, build: list[str | Path], out: Path, node_cache: Path
) -> None:
    """Wherever it comes: no mount, no loop device, no half artefact, no process; the old artefacts stay."""
    loops = loop_devices()
    ended = interrupt_cli([*build, NODE, "--out", out], lambda said: f"] {step} (" in said, number)
    assert ended.status == 130, ended.stderr
    assert ended.lines == ["interrupted: nothing was left half done"]
    assert {path.name for path in out.iterdir()} == {"pxe", "virtnode-0.1.0-x86_64.iso", LOCK_NAME}
    assert contents(out) == OLD
    assert mounts_below(out, node_cache) == []
    assert loop_devices() == loops


@pytest.mark.integration
def test_an_interruption_while_packages_are_installed_leaves_nothing(
    out: Path, tmp_path: Path, node_cache: Path
) -> None:
    """mmdebstrap and its mounts end with the build, no half root is kept, and downloads stay."""
    path = tmp_path / "node.ks"
    path.write_text(SMALL)
    cache = tmp_path / "cache"
    downloads = cache / "apt/archives"
    downloads.mkdir(parents=True)
    for package in node_cache.glob("apt/archives/*.deb"):
        (downloads / package.name).hardlink_to(package)
    names = {package.name for package in downloads.iterdir()}

    def is_unpacking(said: str) -> bool:
        return any(cache.glob("stages/packages/*.unfinished/root/usr/bin/dpkg"))

    ended = interrupt_cli(["build", path, "--out", out, "--cache", cache], is_unpacking)
    assert ended.status == 130, ended.stderr
    assert mounts_below(tmp_path) == []
    assert contents(out) == OLD
    assert names <= {package.name for package in downloads.iterdir()}
    assert not [stage for stage in (cache / "stages/packages").iterdir() if stage.is_dir()]


def test_tests_run_the_checkout() -> None:
    """The command line that is tested is that of these sources."""
    ended = run_cli("--help")
    assert ended.status == 0
    assert sys.executable
    for verb in ("check", "plan", "build", "boot", "inspect", "why-size", "verify", "doctor"):
        assert verb in ended.stdout
