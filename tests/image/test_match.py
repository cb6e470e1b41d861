"""Answers tried on recorded machines."""

import json
from pathlib import Path

import pytest

from image.main import main
from nodelib.bus_install import InstallDisk, Survey
from nodelib.codec import to_json
from nodelib.facts import Facts

GB = 10**9
MACHINE = Survey(
    Facts(hostname="node1"),
    (
        InstallDisk("sda", model="Disk A", serial="A1", size_bytes=500 * GB, bus="sata"),
        InstallDisk(
            "sdb",
            model="Disk B",
            serial="B1",
            size_bytes=900 * GB,
            bus="sata",
            holds=("sdb: LVM2_member, volume group vg0",),
            treasures=("vg0",),
        ),
    ),
)


def match(tmp_path: Path, answer: str, machine: str = "") -> int:
    """Run the verb on an answer, and on the machine above unless another text is given."""
    (tmp_path / "node.toml").write_text(answer)
    (tmp_path / "machine.json").write_text(machine or to_json(MACHINE))
    return main(["match", str(tmp_path / "node.toml"), str(tmp_path / "machine.json")])


def test_an_answer_that_fits_says_what_would_happen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Disk, loss and layout, in the sizes of the answer."""
    assert match(tmp_path, '[install]\nrule = "smallest"\nslot = 2048\n') == 0
    out = capsys.readouterr().out
    assert "disk      sda (Disk A, 500.0 GB, serial A1)" in out
    assert "virtnode-a, 2048 MiB: this system" in out


def test_data_disks_are_matched_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what is lost on them, and a thin pool."""
    answer = '[install]\nrule = "smallest"\ndata = ["serial:B*"]\nthin = true\nwipe = ["vg0"]\n'
    assert match(tmp_path, answer) == 0
    out = capsys.readouterr().out
    assert "data      sdb (Disk B, 900.0 GB, serial B1)" in out
    assert "is lost   sdb (Disk B, 900.0 GB, serial B1): sdb: LVM2_member, volume group vg0" in out


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ('[install]\nrule = "largest"\n', 1, "--wipe vg0"),
        ('[install]\nrule = "largest"\nwipe = ["vg0"]\n', 0, "sdb (Disk B"),
        ('[install]\nrule = "bus:sata"\n', 1, "means several disks"),
        ('[install]\nrule = "bus:nvme"\n', 1, "means none of these disks: sda (Disk A"),
        ('[install]\nrule = "biggest"\n', 2, "biggest is no rule"),
        ('[install]\nroole = "first"\n', 2, "install.roole: unknown"),
        ('[install]\nslot = "big"\n', 2, "install.slot"),
        ('[install]\nrule = "smallest"\ndata = ["bus:sata"]\n', 1, "--wipe vg0"),
        ('[install]\nrule = "smallest"\ndata = ["bus:nvme"]\n', 1, "bus:nvme means none"),
        ('[install]\nrule = "smallest"\ndata = ["all"]\n', 2, "all is no rule"),
        ('[install]\nrule = "smallest"\ndata = "bus:sata"\n', 2, "write lvm, none, or a list"),
        ('[install]\nrule = "smallest"\ndata = "none"\nthin = true\n', 1, "no volume group"),
        ("[system]\n", 2, "no table [install]"),
        ("rule =\n", 2, "no TOML"),
        ("[install]\n", 2, "no disk is named"),
    ],
)
def test_an_answer_that_does_not_fit_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: str, status: int, words: str
) -> None:
    """The same words as on the node."""
    assert match(tmp_path, answer) == status
    captured = capsys.readouterr()
    assert words in captured.out + captured.err


@pytest.mark.parametrize("machine", ["{}", "nonsense", json.dumps({"facts": {}, "disks": [], "schema": 99})])
def test_what_is_no_survey_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], machine: str
) -> None:
    """Another document, and one of a later version."""
    assert match(tmp_path, '[install]\nrule = "first"\n', machine) == 2
    assert "machine.json" in capsys.readouterr().err
