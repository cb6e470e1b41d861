"""Every medium boots to a sound node, and the verification notices a node that is not."""

import dataclasses
from pathlib import Path

import pytest

from image.attachment import find_bootable
from image.verify.inquiry import unit_credentials
from image.verify.matrix import CASES, Case
from image.verify.runner import Setup, verify_case
from image.verify.table import failure_lines

# The first test of a session may have to build, and the guest may need three attempts.
pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]


THOROUGH = {"iso-cd-uefi", "iso-usb-bios", "pxe-bios", "pxe-uefi", "disk-bios"}
"""Rows whose medium and whose firmware are both in another one as well."""
QUICK = {"iso-cd-secureboot", "guest"}
"""Rows about what is inside, not about a medium as it is released."""
ROWS = [
    pytest.param(case, id=case.name, marks=pytest.mark.thorough if case.name in THOROUGH else ())
    for case in CASES
]


@pytest.mark.parametrize("case", ROWS)
def test_medium_boots_to_a_sound_node(case: Case, released: Path, artefacts: Path, setup: Setup) -> None:
    """The node itself says that nothing is wrong."""
    found = find_bootable(artefacts if case.name in QUICK else released)
    if case.artefact not in found:
        pytest.skip(f"there is no {case.artefact}")
    verdict = verify_case(case, found[case.artefact], setup)
    assert verdict.passed, "\n".join(failure_lines(verdict))


def test_failing_unit_is_noticed(artefacts: Path, setup: Setup) -> None:
    """A node with a unit that fails does not pass, and leaves console, journal and screenshot."""
    found = find_bootable(artefacts)
    broken = unit_credentials("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n")
    case = CASES[0]
    verdict = verify_case(case, found[case.artefact], dataclasses.replace(setup, credentials=broken))
    assert "failed unit: broken.service" in verdict.reasons
    assert verdict.evidence is not None
    assert "broken.service" in (verdict.evidence / "journal.log").read_text()
    assert (verdict.evidence / "console.log").stat().st_size > 0
    assert (verdict.evidence / "screen.png").read_bytes().startswith(b"\x89PNG")
