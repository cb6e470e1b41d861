"""An engine updates a node on its disk: kept when it works; a roll that ends with what the node took back."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.update_bundles import BundleOptions, make_bundle
from tests.vm.guest import Boot, Guest, Hardware, kernel_boot, switched_on, wait_until
from tests.vm.joining import Engine, running_engine, short_folder
from tests.vm.test_install import INSTALL_SECONDS, has_restarted, make_disk
from tests.vm.test_update import (
    BACK_SECONDS,
    BROKEN,
    KEPT_SECONDS,
    TRIAL_SECONDS,
    booted_slot,
    build_of,
    find_payload,
    trust,
)

pytestmark = [pytest.mark.vm, pytest.mark.thorough, pytest.mark.timeout(7200)]


@dataclass(frozen=True)
class Site:
    """An engine, the node that it manages, and who signs its images."""

    engine: Engine
    node: Guest
    artefacts: Path
    folder: Path
    key: str

    def offer(self, name: str, *arguments: str) -> None:
        """Give the engine an image, and have the node trust who signed it."""
        options = BundleOptions(*build_of(self.node), name, arguments=("quiet", *arguments))
        bundle = make_bundle(self.folder / f"{name}.update", find_payload(self.artefacts), options)
        self.engine.call("image", "add", str(bundle))
        self.node.run(trust(self.key))

    def update(self) -> Mapping[str, Any]:
        """Ask the engine how the update of its only node stands."""
        (node,) = self.engine.nodes()
        found: Mapping[str, Any] = json.loads(self.engine.call("nodes", "updates", node["id"], "--json"))
        return found

    def roll(self) -> Mapping[str, Any]:
        """Ask the engine how its roll stands."""
        found: Mapping[str, Any] = json.loads(self.engine.call("roll", "status", "--json"))
        return found


def test_an_engine_updates_its_node(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path, update_key: str
) -> None:
    """Installed and joined by arguments alone, updated by the engine; then a roll to an image that fails."""
    evidence = tmp_path / "evidence"
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        token = engine.call("token", "create", "--uses", "1", "--expires", "1h").split()[0]
        address = f"node.engine={HOST_ADDRESS}:{engine.link_port}"
        words = ("node.install=smallest", address, f"node.ca={engine.pin()}", f"node.token={token}")
        hardware = Hardware(folder, str(uuid.uuid4()), state=make_disk(folder))
        node = Guest(hardware, kernel_boot(artefacts, folder, words), accelerator)
        with switched_on(node, evidence, engine.log):
            node.wait_for_shell()
            wait_until(lambda: has_restarted(node), INSTALL_SECONDS, "an installation and a restart")
        node = Guest(hardware, Boot(()), accelerator)
        with switched_on(node, evidence, engine.log):
            site = Site(engine, node, artefacts, folder, update_key)
            identity = engine.wait_for_state("up")["id"]
            node.wait_for_shell()
            takes_an_update(site)
            assert [one["id"] for one in engine.nodes()] == [identity]
            ends_a_roll_that_fails(site)
            assert [one["id"] for one in engine.nodes()] == [identity]


def takes_an_update(site: Site) -> None:
    """See the engine hand the image out, follow the trial, and have the node up again."""
    site.offer("good")
    assert site.update()["available_build"] == "good"
    (node,) = site.engine.nodes()
    site.engine.call("nodes", "upgrade", node["id"])
    wait_until(lambda: site.update()["update"] == "kept", KEPT_SECONDS, "the update to be kept", pause=4.0)
    site.engine.wait_for_state("up")
    site.node.wait_for_shell()
    assert booted_slot(site.node) == "b"


def ends_a_roll_that_fails(site: Site) -> None:
    """See the node take the image back by itself, and the roll stop and say why."""
    site.offer("broken", *BROKEN["network"], f"node.trial_seconds={TRIAL_SECONDS}")
    site.engine.call("roll", "Default", "--image", "broken")
    wait_until(lambda: site.roll()["state"] == "failed", BACK_SECONDS, "the roll to fail", pause=4.0)
    site.node.wait_for_shell()
    assert booted_slot(site.node) == "b"
    (node,) = site.engine.nodes()
    assert node["state"] == "non-operational"
    assert "did not pass" in site.roll()["nodes"][0]["reason"], site.roll()
