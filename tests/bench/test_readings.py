"""What the measurements read: builds, verdicts and folders."""

import argparse
from pathlib import Path

from bench.boots import Boot, boots_table, parse_verdicts
from bench.sizes import Size, disk_sizes, folder_files, pxe_sizes, sizes_table
from bench.warm_build import CHANGED, Build, build_argv, change_agent, parse_steps, steps_table
from image.plan import Profile
from tests.image.trees import make_tree

SAID = """\
[   0.2 s] packages (0.1 s)
what a tool says (3.0 s)
[  12.4 s] iso (12.2 s)
"""


def test_the_steps_of_a_build_are_read() -> None:
    """Names and seconds; other lines are not steps."""
    assert parse_steps(SAID) == {"packages": 0.1, "iso": 12.2}


def test_what_no_step_took_has_a_row() -> None:
    """The rows add up to the whole."""
    build = Build(clock=13.0, processor=20.0, steps=parse_steps(SAID), load=0.1)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in steps_table([build]).splitlines()]
    assert rows[2:] == [
        ["packages", "0.1", ""],
        ["iso", "12.2", ""],
        ["start, plan and publishing", "0.7", ""],
        ["whole", "13.0", "20.0"],
    ]


def test_each_change_is_new(tmp_path: Path) -> None:
    """A change made before would be found in the cache."""
    make_tree(tmp_path, {CHANGED: ""})
    change_agent(tmp_path, 1)
    before = (tmp_path / CHANGED).read_text()
    change_agent(tmp_path, 2)
    assert (tmp_path / CHANGED).read_text() != before


def test_a_build_is_told_what_to_measure(tmp_path: Path) -> None:
    """Media only when they were named."""
    arguments = argparse.Namespace(profile=Profile.DEV, cache=Path("/c"), media="")
    assert "--media" not in build_argv(tmp_path, arguments)
    arguments.media = "iso"
    assert build_argv(tmp_path, arguments)[-2:] == ["--media", "iso"]


def test_verdicts_become_rows() -> None:
    """A number that the node did not tell is a dash."""
    verdict = {"medium": "iso", "passed": False, "seconds": 60.2, "memory_mib": None}
    boots = parse_verdicts([{**verdict, "seconds_to_prompt": 20.4, "seconds_to_libvirt": None}])
    assert boots == [Boot("iso", False, 20.4, None, None, 60.2)]
    cells = [cell.strip() for cell in boots_table(boots).splitlines()[-1].split("|")[1:-1]]
    assert cells == ["iso", "20", "-", "-", "60", "FAIL"]


def test_sizes_are_measured_against_their_bounds() -> None:
    """Decimal megabytes, and the share of the bound."""
    table = sizes_table([Size("ISO", 99_800_000, 120_000_000), Size("kernel", 12_000_000)])
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[2:] == [["ISO", "99.8", "120.0", "83 %"], ["kernel", "12.0", "", ""]]


def test_a_build_without_a_medium_has_no_rows_for_it(tmp_path: Path) -> None:
    """A build may be of some media only."""
    make_tree(tmp_path, {"pxe/initrd.img": "12345", "pxe/grub/grub.cfg": "123", "a.qcow2": "1"})
    assert [(size.name, size.size) for size in pxe_sizes(folder_files(tmp_path / "pxe"))] == [
        ("PXE, all files", 8),
        ("initramfs of PXE", 5),
    ]
    assert pxe_sizes({}) == []
    assert [size.name for size in disk_sizes(tmp_path)] == ["disk image, qcow2"]
