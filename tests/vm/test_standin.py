"""RPM stand-in (Debian content): a whole node through dnf and rpm boots, where Fedora's packages are not."""

import fcntl
import os
from pathlib import Path

import pytest

from image.attachment import find_bootable
from image.main import main
from image.manifest import MANIFEST_NAME
from image.verify.matrix import CASES, Case
from image.verify.runner import Setup, verify_case
from image.verify.table import failure_lines
from nodelib.errors import Code, VirtnodeError
from tests.standin.kickstart import make_standin_kickstart, read_package_names
from tests.standin.repository import LABEL, make_standin

pytestmark = [pytest.mark.vm, pytest.mark.alone, pytest.mark.timeout(1800)]

CARRIES, FETCHES = "iso-cd-bios", "pxe-bios"
"""One medium that carries its root and one that fetches it; the others differ as for any node."""
ROWS = [
    pytest.param(case, id=f"{LABEL}: {case.name}", marks=pytest.mark.thorough if case.name == FETCHES else ())
    for case in CASES
    if case.name in (CARRIES, FETCHES)
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the stand-in's node once for all workers of a session."""
    own = tmp_path_factory.getbasetemp()
    session = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    out = session / "standin-out"
    with (session / "standin.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / MANIFEST_NAME).exists():
            build_node(session / "standin.ks", out)
    return out


def build_node(kickstart: Path, out: Path) -> None:
    """Make the repository and build from it as from Fedora's: by dnf, and with every check."""
    try:
        standin = make_standin(read_package_names())
    except VirtnodeError as error:
        if error.code is Code.UNAVAILABLE:
            pytest.skip(f"{LABEL} needs Debian's packages: {error.message}")
        raise
    make_standin_kickstart(kickstart, standin)
    # The quick profile's compression is not what the budget was set for.
    options = ["--profile=dev", "--media=iso,pxe", "--size-budget=500MB"]
    assert main(["build", str(kickstart), f"--out={out}", *options]) == 0, f"{LABEL} was not built"


@pytest.mark.parametrize("case", ROWS)
def test_a_node_made_of_rpms_boots_to_a_sound_node(case: Case, node: Path, setup: Setup) -> None:
    """The node itself says that nothing is wrong."""
    verdict = verify_case(case, find_bootable(node)[case.artefact], setup)
    print(f"{LABEL}: {case.name} {'passed' if verdict.passed else 'FAILED'} after {verdict.seconds:.0f} s")
    assert verdict.passed, "\n".join(f"{LABEL}: {line}" for line in failure_lines(verdict))
