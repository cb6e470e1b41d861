"""Nodes join as the documentation says: by the boot menu, and from the network without a disk."""

import uuid
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.vm.guest import Boot, Guest, Hardware, menu_boot, network_boot, switched_on, wait_until
from tests.vm.joining import Engine, failing_steps, running_engine, short_folder, status_of
from tests.vm.readme import follow
from tests.vm.terminal import read_code

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

NEXT_LINE, END_OF_LINE, START = "\x0e", "\x05", "\x18"
"""Control-N, -E and -X, as GRUB's editor knows them."""
MENU_SECONDS = 120.0


def test_the_readme_followed_to_the_letter(artefacts: Path, accelerator: Accelerator, tmp_path: Path) -> None:
    """Its commands, in order, with the names of this machine, end with a node that is up."""
    with (
        short_folder(tmp_path) as folder,
        follow(folder) as follower,
        switched_on(
            make_machine(menu_boot(artefacts), accelerator, folder / "node"), tmp_path / "evidence"
        ) as node,
    ):
        type_at_the_menu(node, follower.own(follower.blocks[2][0]))
        code = follower.wait_for("pending")[2]
        read_code(node, code)
        follower.names["D07CH-F3K8D"] = code
        machine = follower.run("virtnode-engine nodes show D07CH-F3K8D")
        assert node.hardware.mac in machine
        follower.run("virtnode-engine nodes approve D07CH-F3K8D")
        follower.wait_for("up", 120)


def type_at_the_menu(node: Guest, arguments: str) -> None:
    """Press e, go to the end of the line that begins with linux, add to it, and start it."""
    wait_until(lambda: "Start virtnode" in shown(node), MENU_SECONDS, "the boot menu", pause=0.2)
    node.type("e")
    wait_until(lambda: "vmlinuz" in shown(node), MENU_SECONDS, "the menu's editor", pause=0.2)
    # Above it are the entry's name, an empty line, and the one that says what is loaded.
    node.type(f"{NEXT_LINE * 3}{END_OF_LINE} {arguments}{START}")


def shown(node: Guest) -> str:
    """Return what the serial line has shown."""
    return node.console_log.read_text(errors="replace") if node.console_log.exists() else ""


def make_machine(boot: Boot, accelerator: Accelerator, folder: Path) -> Guest:
    """Lay out a machine without any disk."""
    folder.mkdir(exist_ok=True)
    return Guest(Hardware(folder, str(uuid.uuid4())), boot, accelerator)


@pytest.mark.thorough
def test_a_stateless_node_comes_back(artefacts: Path, accelerator: Accelerator, tmp_path: Path) -> None:
    """From the network and without a disk: a token gives it its identity back, and nobody else does."""
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        token = engine.call("token", "create", "--uses", "2").split()[0]
        (folder / "node").mkdir()
        arguments = (f"node.engine={HOST_ADDRESS}:{engine.link_port}", f"node.ca={engine.pin()}")
        with network_boot(artefacts, folder / "node", (*arguments, f"node.token={token}")) as boot:
            node = make_machine(boot, accelerator, folder / "node")
            with switched_on(node, tmp_path / "evidence", engine.log):
                comes_back_by_its_token(engine, node)


def comes_back_by_its_token(engine: Engine, node: Guest) -> None:
    """Up at once; the same after a power cut, with another key; out once the token is used up."""
    first = engine.wait_for_state("up")
    node.wait_for_shell()
    fingerprint = status_of(node)["fingerprint"]
    power_cycle(engine, node)
    second = engine.wait_for_state("up")
    node.wait_for_shell()
    assert second["id"] == first["id"]
    assert status_of(node)["fingerprint"] != fingerprint
    power_cycle(engine, node)
    node.wait_for_shell()
    wait_until(lambda: node.try_run("virtnodectl status")[0] == 0, 120, "the agent")
    wait_until(lambda: failing_steps(node) == ["token"], 120, "the token to be refused")
    assert [one["id"] for one in engine.nodes()] == [first["id"]]
    assert engine.nodes()[0]["state"] != "up"


def power_cycle(engine: Engine, node: Guest) -> None:
    """Pull the plug, and plug it in again once the engine misses the node."""
    node.pull_the_plug()
    wait_until(lambda: engine.nodes()[0]["state"] != "up", 120, "the engine to miss the node")
    node.switch_on()
