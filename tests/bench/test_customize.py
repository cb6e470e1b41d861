"""The measurement of customise: both ways give an ISO with the same configuration."""

from pathlib import Path

from bench.customize import PIECES, customize, measure, remaster, times_table, with_area
from image.custom_places import Form, find_places
from nodelib.config_area import AREA_FILE
from nodelib.run import run
from tests.image.custom_media import make_media


def test_it_measures_two_ways_to_the_same(tmp_path: Path) -> None:
    """On a small ISO: the pieces are timed, and the remaster holds what was customised."""
    iso = next(make_media(tmp_path / "made", "iso").glob("*.iso"))
    assert with_area(iso, tmp_path) == iso
    taken = measure(iso, tmp_path)
    assert set(taken) == set(PIECES)
    assert all(name in times_table([taken]) for name in PIECES)
    ours, theirs = tmp_path / "ours.iso", tmp_path / "theirs.iso"
    customize(iso, "-o", str(ours))
    area = find_places(ours, Form.ISO).read_area()
    remaster(iso, theirs, tmp_path, find_places(ours, Form.ISO).area.read(), "hugepages=8")
    found = find_places(theirs, Form.ISO)
    assert (found.read_area(), found.read_arguments()) == (area, "hugepages=8")


def test_an_iso_without_an_area_is_given_one(tmp_path: Path) -> None:
    """So that an older build can be measured."""
    iso = next(make_media(tmp_path / "made", "iso").glob("*.iso"))
    old = tmp_path / "old.iso"
    run(
        [
            "xorriso",
            "-indev",
            iso,
            "-outdev",
            old,
            "-boot_image",
            "any",
            "replay",
            "-rm",
            f"/{AREA_FILE}",
            "--",
        ]
    )
    assert find_places(with_area(old, tmp_path), Form.ISO).read_arguments() == ""
