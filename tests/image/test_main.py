"""The command line: its options, what it prints, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image.main import find_host_family, main, make_parser, parse_media
from tests.image.archives import make_archive, served
from tests.image.cli import environment

START = [sys.executable, "-m", "image.start"]
GOOD = "%addon virtnode_image\nbase debian\nsuite trixie\n%end\n%packages\nsystemd\nudev\n%end\n"


@pytest.fixture
def kickstart(tmp_path: Path) -> Path:
    """Write a small kickstart."""
    path = tmp_path / "node.ks"
    path.write_text(GOOD)
    return path


def test_check_says_what_the_kickstart_makes(kickstart: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A good kickstart is one line on standard output."""
    assert main(["check", str(kickstart)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{kickstart}: a debian trixie node, 2 packages named\n"
    assert captured.err == ""


def test_plan_shows_what_a_build_would_do(
    kickstart: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people in lines, for programs as JSON, and both tell the same identity."""
    make_archive(tmp_path / "www")
    with served(tmp_path / "www") as url:
        argv = [
            "plan",
            str(kickstart),
            "--mirror",
            f"{url}/debian",
            "--media",
            "iso",
            "--size-budget",
            "100MB",
        ]
        assert main(argv) == 0
        lines = capsys.readouterr().out.splitlines()
        assert main([*argv, "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
    assert lines[0].startswith(f"plan {document['id'][:16]}: virtnode-")
    assert "  media         iso" in lines
    assert "  packages      systemd udev" in lines
    assert "  size budget   100 MB" in lines
    assert document["media"] == ["iso"]
    assert document["size_budget"] == 100_000_000


def test_media_may_be_named_in_any_order_and_once() -> None:
    """A name that comes twice counts once."""
    assert parse_media("pxe,iso,pxe") == ("pxe", "iso")


def test_the_program_starts_with_every_verb(tmp_path: Path) -> None:
    """The quick verbs go without the builder's libraries; the rest is there as well."""
    answer = tmp_path / "node.toml"
    answer.write_text("version = 1\n")
    seen = "import sys; from image.start import main; main(); sys.exit('pykickstart' in sys.modules)"
    for words, status in ((["validate", str(answer)], 0), (["check", str(tmp_path / "none.ks")], 1)):
        done = subprocess.run([sys.executable, "-c", seen, *words], env=environment(), check=False)
        assert done.returncode == status
    done = subprocess.run(
        [*START, "validate", str(tmp_path)], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: ")


WRONG = {
    "unknown medium": (["build", "--media", "iso,floppy"], "unknown medium floppy; there are iso, pxe, disk"),
    "no medium": (["build", "--media", ""], "unknown medium"),
    "a size without a number": (["build", "--size-budget", "many"], "many is not a size"),
    "unknown profile": (["build", "--profile", "best"], "invalid"),
    "unknown verb": (["bake"], "invalid choice"),
    "no verb": ([], "VERB"),
    "unknown option": (["build", "--bogus"], "unrecognized arguments: --bogus"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_words_are_told(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line ends with status 2 and says what is allowed."""
    argv, message = WRONG[case]
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("os_release", "family"),
    [
        ("ID=debian\n", "debian"),
        ("ID=ubuntu\nID_LIKE=debian\n", "debian"),
        ("ID=fedora\n", "fedora"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "fedora"),
        ("", "debian"),
    ],
)
def test_the_hosts_family_chooses_packages(os_release: str, family: str, tmp_path: Path) -> None:
    """Relatives count as the family."""
    (tmp_path / "os-release").write_text(os_release)
    assert find_host_family(tmp_path / "os-release") == family


def test_a_host_without_os_release_is_taken_for_debians(tmp_path: Path) -> None:
    """Nothing is known of such a host, and nothing fails."""
    assert find_host_family(tmp_path / "absent") == "debian"


def test_doctor_lists_every_group(capsys: pytest.CaptureFixture[str]) -> None:
    """Each group is ready or lacks something that has a purpose and a package."""
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == [
        "any",
        "debian",
        "fedora",
        "test",
    ]
    assert all("; package " in line for line in lines if line.startswith(" "))


def test_doctor_names_packages_for_a_script(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a bare host the names of packages come one a line, for the installer to read."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor", "--packages", "any", "debian"]) == 0
    names = capsys.readouterr().out.split()
    assert {"xorriso", "squashfs-tools", "mmdebstrap"} <= set(names)
    assert names == list(dict.fromkeys(names))
