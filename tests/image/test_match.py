"""Answers tried on recorded machines."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from image.main import main
from nodelib.bus_install import InstallDisk, Survey
from nodelib.codec import to_json
from nodelib.facts import Facts
from nodelib.slots import ESP, SLOT_A, STATE, lay_out

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


NODE = InstallDisk("sda", serial="A1", size_bytes=500 * GB, installed="virtnode 0.1.0", build="1a2b")
SMALL_SLOTS = lay_out({ESP: 128, SLOT_A: 256, STATE: 64})


def test_a_node_that_is_kept_has_the_slots_that_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A system larger than these is refused, as the node would, whatever the answer says of new ones."""
    answer = '[install]\nrule = "smallest"\nkeep = true\n'
    recorded = Survey(Facts(), (NODE,), layouts={"sda": SMALL_SLOTS}, image_bytes=300 << 20)
    assert match(tmp_path, answer, to_json(recorded)) == 1
    out = capsys.readouterr().out
    assert "virtnode-a, 256 MiB" in out
    assert "problem   this system has 300 MiB, and a slot 256 MiB" in out
    assert match(tmp_path, answer, to_json(replace(recorded, image_bytes=200 << 20))) == 0
    out = capsys.readouterr().out
    assert "taken for one of 200 MiB" in out
    assert "a medium of build 1a2b leaves sda as it is" in out
    assert "lacks" not in out


def test_what_the_record_lacks_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An older one has neither the partitions that are there nor the size of a system."""
    answer = '[install]\nrule = "smallest"\nkeep = true\n'
    assert match(tmp_path, answer, to_json(Survey(Facts(), (NODE,)))) == 0
    out = capsys.readouterr().out
    assert "lacks the size of a system" in out
    assert "lacks the partitions that are there" in out


def test_an_answer_that_keeps_nodes_fits_a_blank_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says that nothing is kept, and uses the answer's own sizes."""
    assert match(tmp_path, '[install]\nrule = "smallest"\nkeep = true\nslot = 2048\n') == 0
    out = capsys.readouterr().out
    assert "no node is installed here that could be kept" in out
    assert "virtnode-a, 2048 MiB" in out
    assert "partitions that are there" not in out


def test_what_depends_on_the_image_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A thin pool needs programs that no record tells of."""
    assert match(tmp_path, '[install]\nrule = "smallest"\nthin = true\n') == 0
    assert "is known on the node alone" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("machine", ["{}", "nonsense", json.dumps({"facts": {}, "disks": [], "schema": 99})])
def test_what_is_no_survey_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], machine: str
) -> None:
    """Another document, and one of a later version."""
    assert match(tmp_path, '[install]\nrule = "first"\n', machine) == 2
    assert "machine.json" in capsys.readouterr().err
