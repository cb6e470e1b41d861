"""The trim rules that come with the program are sound before any build runs them."""

from pathlib import Path

import pytest

from image.template import load_template

RULES = Path(__file__).parents[2] / "kickstarts" / "trim"
VARIABLES = {"basearch": "x86_64", "libdir": "lib64", "root": "/"}
TEMPLATES = sorted(RULES.glob("*.tmpl"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_rules_load(template: Path) -> None:
    """Each template is free of mistakes."""
    assert load_template(template, VARIABLES)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_group_of_rules_has_a_reason(template: Path) -> None:
    """Rules follow a comment: a reader can judge each drop."""
    for group in template.read_text().split("\n\n")[1:]:
        assert group.startswith("##"), group


def test_package_rules_stand_in_the_files_of_a_base() -> None:
    """Package names differ between distributions, so what is common is named by path."""
    commands = {rule.command for rule in load_template(RULES / "common.tmpl", VARIABLES)}
    assert commands == {"remove"}
