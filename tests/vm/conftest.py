"""What the tests boot: artefacts that were given, or a build made once for the session."""

import fcntl
import os
from pathlib import Path

import pytest

from image.accelerator import Accelerator, choose_accelerator
from image.main import main
from image.manifest import MANIFEST_NAME
from image.verify.runner import Setup
from tests.update_bundles import public_pem


@pytest.fixture(scope="session")
def artefacts(request: pytest.FixtureRequest, released: Path) -> Path:
    """Give the folder of a finished build, of the development profile if there is one.

    Nothing but its compression differs, which an emulated machine takes a third of its start to undo.
    """
    quick = os.environ.get("VIRTNODE_QUICK_ARTEFACTS")
    return Path(quick) if quick and not request.config.getoption("--artefacts") else released


@pytest.fixture(scope="session")
def released(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a build as it is released."""
    given = request.config.getoption("--artefacts") or os.environ.get("VIRTNODE_ARTEFACTS")
    if given:
        return Path(given)
    own = tmp_path_factory.getbasetemp()
    # Each worker of pytest-xdist has a folder of its own below the session's.
    return build_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


def build_once(session: Path) -> Path:
    """Build every medium as it is released, or wait for the worker that does."""
    out = session / "out"
    with (session / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / MANIFEST_NAME).exists():
            assert main(["build", f"--out={out}"]) == 0
    return out


@pytest.fixture(scope="session")
def accelerator() -> Accelerator:
    """Choose how machines run, once: the proof of KVM takes a moment."""
    return choose_accelerator()


@pytest.fixture(scope="session")
def update_key() -> str:
    """Give the public half of the key that signs the tests' bundles."""
    return public_pem().decode()


@pytest.fixture
def setup(accelerator: Accelerator, tmp_path: Path) -> Setup:
    """Keep the evidence of a failure with the test's own files."""
    return Setup(accelerator=accelerator, evidence=tmp_path / "evidence")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no worker is left alone with it in the end."""
    items.sort(key=lambda item: item.path.name != "test_update.py")
