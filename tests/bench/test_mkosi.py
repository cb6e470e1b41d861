"""mkosi's configuration: the same packages from the same archives."""

import configparser
from pathlib import Path

import pytest

from bench.cold_build import Round, packages_line, ratio_lines, round_line, steps_table
from bench.figures import Taken
from bench.mkosi import Mkosi, build_argv, configuration, find_program, source_stanzas
from image.bases.apt import Archive
from image.config import ImageConfig, Packages
from tests.image.trees import make_tree

CONFIG = ImageConfig(
    source=Path("node.ks"),
    base="debian",
    suite="trixie",
    packages=Packages(install=("systemd", "udev"), exclude_docs=True, exclude_weakdeps=True),
)
ROUND = Round(
    ours={
        "packages": Taken(40.0, 30.0),
        "settings, trimming, programs": Taken(20.0, 15.0),
        "squashfs": Taken(5.0, 9.0),
        "squashfs of the untrimmed tree": Taken(10.0, 19.0),
    },
    theirs={"tree": Taken(90.0, 80.0), "squashfs": Taken(10.0, 18.0)},
    load=0.5,
)


def test_mkosi_is_asked_for_the_same(tmp_path: Path) -> None:
    """Suite, packages and recommendations are the kickstart's; nothing that boots is made."""
    parser = configparser.ConfigParser()
    parser.read_string(configuration(CONFIG, tmp_path))
    assert parser["Distribution"]["Release"] == "trixie"
    assert parser["Content"]["Packages"].split() == ["systemd", "udev"]
    assert parser["Content"]["WithRecommends"] == "no"
    assert parser["Content"]["Bootable"] == "no"
    assert parser["Build"]["PackageCacheDirectory"] == f"{tmp_path}/cache"


def test_every_archive_is_a_source() -> None:
    """Security updates come for both, or for none."""
    text = source_stanzas([Archive("http://a.invalid/d", "one"), Archive("http://b.invalid/s", "two")])
    stanzas = text.split("\n\n")
    assert ["URIs: http://a.invalid/d" in stanzas[0], "Suites: two" in stanzas[1]] == [True, True]
    assert text.count("Signed-By: /") == 2


def test_each_round_has_a_folder_of_its_own() -> None:
    """The configuration and the downloaded packages are one; what is written is not."""
    mkosi = Mkosi(Path("/x/mkosi"), Path("/w"), Path("/w")).into(Path("/r"))
    argv = build_argv(mkosi)
    assert argv[:3] == ["/x/mkosi", "--directory", "/w/settings"]
    assert argv[3:] == ["--output-directory", "/r", "--workspace-directory", "/r/workspace", "build"]
    assert mkosi.root == Path("/r/root")


def test_a_checkout_has_the_program(tmp_path: Path) -> None:
    """The path is a checkout or the program itself."""
    make_tree(tmp_path, {"bin/mkosi": "#!/bin/sh\n"})
    program = tmp_path / "bin/mkosi"
    program.chmod(0o755)
    assert find_program(tmp_path) == find_program(program) == program
    with pytest.raises(FileNotFoundError, match="give mkosi, or a checkout"):
        find_program(tmp_path / "bin/other")


def test_both_comparisons_are_told() -> None:
    """The trimmed image, and what both programs do alike; on the clock and of processors."""
    lines = ratio_lines([ROUND, ROUND])
    assert lines == [
        "trimmed root and squashfs, seconds: 0.65 (median of 0.65, 0.65)",
        "trimmed root and squashfs, processor seconds: 0.55 (median of 0.55, 0.55)",
        "like for like, nothing trimmed, seconds: 0.50 (median of 0.50, 0.50)",
        "like for like, nothing trimmed, processor seconds: 0.50 (median of 0.50, 0.50)",
    ]
    assert round_line(1, ROUND).startswith("round 1 (load 0.5): ours 65.0 s, like for like 50.0 s, mkosi 100")
    assert "| mkosi: all " in steps_table([ROUND])


def test_different_packages_are_told() -> None:
    """A comparison of different trees must not pass for one of the same."""
    assert packages_line({"a 1", "b 1"}, {"a 1", "b 1"}) == "2 packages in both"
    assert packages_line({"a 1", "b 1"}, {"a 1", "c 2"}) == (
        "1 packages in both; only ours: b 1; only mkosi's: c 2"
    )
