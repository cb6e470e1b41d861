"""The two nodes are one node: their kickstarts differ where the distributions do, and nowhere else."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import pytest

from image.config import ImageConfig, Trim
from image.kickstart import load_kickstart

KICKSTARTS = Path(__file__).parents[2] / "kickstarts"
BASES = ("debian", "fedora")
OF_THE_DISTRIBUTION = {"source", "base", "suite", "url", "repositories", "packages", "trim"}


@dataclass(frozen=True)
class Pair:
    """Both configurations, Debian's and Fedora's."""

    debian: ImageConfig
    fedora: ImageConfig


@pytest.fixture(scope="module")
def pair() -> Pair:
    """Load both."""
    return Pair(*(load_kickstart(KICKSTARTS / f"node-{base}.ks") for base in BASES))


def test_only_what_names_the_distribution_differs(pair: Pair) -> None:
    """Accounts, network, services, firewall, partitions, boot arguments and budget are the same."""
    different = {
        field.name
        for field in dataclasses.fields(ImageConfig)
        if getattr(pair.debian, field.name) != getattr(pair.fedora, field.name)
    }
    assert different <= OF_THE_DISTRIBUTION


def test_one_trim_template_differs(pair: Pair) -> None:
    """Each has the common template and its own; drivers and further paths are the same."""
    trims = (pair.debian.trim, pair.fedora.trim)
    assert [{path.name for path in trim.templates} for trim in trims] == [
        {"common.tmpl", f"{base}.tmpl"} for base in BASES
    ]
    plain: list[Trim] = [dataclasses.replace(trim, templates=()) for trim in trims]
    assert plain[0] == plain[1]


def test_packages_are_chosen_the_same_way(pair: Pair) -> None:
    """Documentation, languages and weak dependencies stay out of both; names alone differ."""
    plain = [dataclasses.replace(each.packages, install=()) for each in (pair.debian, pair.fedora)]
    assert plain[0] == plain[1]
