"""Updating a node as the documentation says: keys, two builds, the check, the update, and the way back."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.main import main
from image.netboot import serve_folder
from image.qemu import HOST_ADDRESS
from tests.vm.guest import Boot, Guest, switched_on, wait_until
from tests.vm.joining import short_folder
from tests.vm.recipes import DOCS, recipe
from tests.vm.test_install import machine, wait_for_agent
from tests.vm.test_update import (
    BACK_SECONDS,
    KEPT_SECONDS,
    booted_slot,
    install,
    status,
    wait_for_state,
)

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(7200)]

KICKSTARTS = DOCS.parent / "kickstarts"
ADDED = "nano"
NEXT = f"%include node-debian.ks\n%packages\n{ADDED}\n%end\n"
CHECK_SECONDS = 300.0
APART = "systemd-run --quiet --collect"
"""What ends with a restart would take the shell of the test along."""


def build(folder: Path, kickstart: Path) -> Path:
    """Build an image and its bundle, as the page says; the quick profile's size is not what is promised."""
    line = recipe(
        "update.md", "./build.sh", {"site.pem": f"{folder}/site.pem", "site.key": f"{folder}/site.key"}
    )
    out = folder / kickstart.stem
    own = [str(kickstart), f"--out={out}", "--profile=dev", "--size-budget=500MB"]
    assert main(["build", *own, *shlex.split(line)[1:]]) == 0
    return out


def running_build(node: Guest) -> str:
    """Ask the node which build it runs."""
    return node.run(". /etc/os-release; echo $BUILD_ID").strip()


def runs(node: Guest, slot: str) -> bool:
    """Tell whether the node runs the image of a slot; it may be on its way."""
    try:
        return booted_slot(node) == slot
    except (AssertionError, TimeoutError):
        return False


def test_a_node_is_updated_as_the_page_says(accelerator: Accelerator, tmp_path: Path) -> None:
    """The first build runs; the second is checked, written, tried and kept; then the first is back."""
    for beginning in ("openssl genpkey", "openssl pkey"):
        line = recipe("update.md", beginning)
        subprocess.run(shlex.split(line), cwd=tmp_path, check=True)
    kickstarts = tmp_path / "kickstarts"
    shutil.copytree(KICKSTARTS, kickstarts)
    (kickstarts / "next.ks").write_text(NEXT)
    first, second = (build(tmp_path, kickstarts / name) for name in ("node-debian.ks", "next.ks"))
    with short_folder(tmp_path) as folder, serve_folder(second) as port:
        install(first, folder, accelerator, tmp_path / "evidence")
        with switched_on(machine(folder, Boot(()), accelerator), tmp_path / "evidence") as node:
            wait_for_agent(node)
            follows_the_page(node, second, port)


def follows_the_page(node: Guest, second: Path, port: int) -> None:
    """Check the bundle, take it, see it kept, and go back."""
    before = running_build(node)
    bundle = f"http://{HOST_ADDRESS}:{port}/{next(second.glob('*.update')).name}"
    check = recipe("update.md", "virtnodectl update --check", {"/run/media/virtnode-0.2.0.update": bundle})
    said = node.run(check, CHECK_SECONDS)
    assert ADDED in said
    assert "slot b" in said
    assert status(node)["state"] == "idle", status(node)
    published = "http://images.example.org/virtnode-0.2.0.update"
    node.run(f"{APART} {recipe('update.md', 'virtnodectl update http', {published: bundle})}")
    wait_until(lambda: runs(node, "b"), KEPT_SECONDS, "a start of the second image")
    wait_for_state(node, running_build(node), "kept", KEPT_SECONDS)
    assert running_build(node) != before
    assert ADDED in node.run(f"command -v {ADDED}")
    node.run(f"{APART} {recipe('update.md', 'virtnodectl rollback')}")
    wait_until(lambda: runs(node, "a"), BACK_SECONDS, "a start of the first image")
    assert running_build(node) == before
    assert node.run("systemctl --failed --no-legend --plain").strip() == ""
