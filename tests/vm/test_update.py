"""A node installs itself, and takes another image: kept when it works, taken back by itself when not."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from image.accelerator import Accelerator
from image.netboot import serve_folder
from image.qemu import HOST_ADDRESS
from nodelib.slots import SLOT_A, SLOT_B
from nodelib.update_bundle import INITRAMFS, KERNEL, ROOT_IMAGE
from tests.update_bundles import BundleOptions, make_bundle
from tests.vm.guest import Boot, Guest, kernel_boot, switched_on, wait_until
from tests.vm.joining import short_folder
from tests.vm.test_install import INSTALL_SECONDS, is_installed, machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(7200)]

TRIAL_SECONDS, PATIENCE = 60, 1800
"""How long a try of an image may take that cannot pass anyway, and one of a sound image on a busy machine."""
KEPT_SECONDS, BACK_SECONDS = 2400.0, 2400.0
BEGIN_UPDATE = "systemd-run --quiet --collect virtnodectl update"
"""It ends with a restart, and would take the shell of the test along."""
BROKEN = {
    "panic": ("rdinit=/nonexistent",),
    "init": ("init=/nonexistent",),
    "agent": ("systemd.mask=virtnode-agent.service",),
    "network": ("systemd.mask=systemd-networkd.service",),
}
"""Arguments of images that cannot pass."""
NO_ROOT = bytes(1 << 20)
"""The root of an image whose kernel ends before it looks for one."""


def find_payload(artefacts: Path) -> dict[str, bytes | Path]:
    """Find the files of a build's PXE folder."""
    kernel = next(artefacts.glob("**/vmlinuz"))
    root = next(path for path in kernel.parent.iterdir() if "squashfs" in path.name)
    return {KERNEL: kernel, INITRAMFS: kernel.with_name("initrd.img"), ROOT_IMAGE: root}


def build_of(node: Guest) -> tuple[str, str]:
    """Ask the node what it is, as its own image says."""
    words = node.run(". /etc/os-release; echo $IMAGE_ID $IMAGE_VERSION").split()
    return words[0], words[1]


def status(node: Guest) -> Mapping[str, Any]:
    """Ask how the update stands; nothing while the node restarts."""
    try:
        code, text = node.try_run("virtnodectl update status --json", seconds=90)
        found: Mapping[str, Any] = json.loads(text) if code == 0 else {}
    except (TimeoutError, ValueError):
        return {}
    return found


def wait_for_state(node: Guest, name: str, state: str, seconds: float) -> None:
    """Wait until the newest update is this one and stands so."""

    def is_there() -> bool:
        view = status(node)
        return (view.get("build_id"), view.get("state")) == (name, state)

    wait_until(is_there, seconds, f"{name} to be {state}", pause=3.0)


def serve_bundle(artefacts: Path, served: Path, port: int, node: Guest, name: str, *arguments: str) -> str:
    """Make a bundle of this build under another name, and return where the node finds it.

    With arguments it is one that cannot pass.
    """
    limit = f"node.trial_seconds={TRIAL_SECONDS if arguments else PATIENCE}"
    options = BundleOptions(*build_of(node), name, arguments=(limit, *arguments))
    payload = find_payload(artefacts) | ({ROOT_IMAGE: NO_ROOT} if arguments == BROKEN["panic"] else {})
    make_bundle(served / f"{name}.update", payload, options)
    return f"http://{HOST_ADDRESS}:{port}/{name}.update"


def booted_slot(node: Guest) -> str:
    """Ask which slot runs."""
    slots = json.loads(node.run("virtnodectl system --json"))["slots"]
    return str(next(slot["name"] for slot in slots if slot["booted"]))


def install(artefacts: Path, folder: Path, accelerator: Accelerator, evidence: Path) -> None:
    """Put the node on the disk of this folder."""
    medium = kernel_boot(artefacts, folder, ("node.install=smallest",))
    boot = Boot((*medium.options, "-action", "reboot=shutdown"))
    with switched_on(machine(folder, boot, accelerator), evidence) as node:
        node.wait_for_shell()
        wait_until(node.has_ended, INSTALL_SECONDS, "an installation and a restart")


@dataclass(frozen=True)
class Site:
    """A node on its disk, and a server that has bundles for it."""

    artefacts: Path
    node: Guest
    served: Path
    port: int
    key: str

    def begin(self, name: str, *arguments: str) -> None:
        """Have the node update itself to an image of this name."""
        bundle = serve_bundle(self.artefacts, self.served, self.port, self.node, name, *arguments)
        self.node.run(trust(self.key))
        self.node.run(f"{BEGIN_UPDATE} {bundle}")

    def takes_back(self, name: str) -> None:
        """Update to an image that cannot pass, and see that the one before comes back by itself."""
        before = booted_slot(self.node)
        self.begin(name, *BROKEN[name])
        wait_for_state(self.node, name, "rolled-back", BACK_SECONDS)
        assert booted_slot(self.node) == before

    def slots(self) -> str:
        """Sum up what is in the slots."""
        sums = (f"head -c 100M /dev/disk/by-partlabel/{one} | sha256sum" for one in (SLOT_A, SLOT_B))
        return self.node.run("; ".join(sums))

    def refuses(self, name: str, content: bytes) -> None:
        """Offer a bundle that is no good: it is refused before anything is written."""
        (self.served / f"{name}.update").write_bytes(content)
        self.node.run(trust(self.key))
        before = self.slots()
        where = f"http://{HOST_ADDRESS}:{self.port}/{name}.update"
        code, said = self.node.try_run(f"virtnodectl update {where}", seconds=600)
        assert code in (1, 2), said
        assert self.slots() == before, "something was written"


@pytest.fixture
def site(artefacts: Path, accelerator: Accelerator, tmp_path: Path, update_key: str) -> Iterator[Site]:
    """Install a node, and start it from its disk."""
    evidence, served = tmp_path / "evidence", tmp_path / "served"
    served.mkdir()
    with short_folder(tmp_path) as folder, serve_folder(served) as port:
        install(artefacts, folder, accelerator, evidence)
        with switched_on(machine(folder, Boot(()), accelerator), evidence) as node:
            is_installed(node)
            yield Site(artefacts, node, served, port, update_key)


def test_an_update_is_kept_and_one_that_fails_taken_back(site: Site) -> None:
    """Forward; then an image whose kernel panics, and restarts until its tries run out."""
    site.begin("good")
    wait_for_state(site.node, "good", "kept", KEPT_SECONDS)
    assert booted_slot(site.node) == "b"
    site.takes_back("panic")
    assert booted_slot(site.node) == "b"


@pytest.mark.thorough
def test_an_image_that_is_not_what_it_should_be_is_taken_back_or_refused(site: Site) -> None:
    """No init: it restarts. No agent: the watch ends it. No network: the node itself finds out."""
    site.takes_back("init")
    site.takes_back("agent")
    site.takes_back("network")
    whole = (site.served / "agent.update").read_bytes()
    site.refuses("cut", whole[: -(20 << 20)])
    site.refuses("bent", whole.replace(b"agent", b"agenT", 1))


def trust(pem: str) -> str:
    """Write the line of shell that has a running node trust the key of the tests, until its next start."""
    folder = "/usr/lib/virtnode/update-keys"
    return f"mkdir -p {folder} && printf '%s' '{pem}' > {folder}/tests.pem"
