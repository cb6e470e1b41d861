"""A node joins an engine, and stays joined through what happens to nodes and engines."""

import time
from pathlib import Path

import pytest

from image.accelerator import Accelerator
from image.qemu import HOST_ADDRESS
from tests.vm.guest import Boot, Guest, switched_on, wait_until
from tests.vm.joining import (
    Engine,
    failing_steps,
    ladder_of,
    make_node,
    running_engine,
    short_folder,
    status_of,
)
from tests.vm.terminal import read_code

pytestmark = [pytest.mark.vm, pytest.mark.timeout(3600)]

CUT_SECONDS = 60.0
DAY = 86400


def test_a_node_joins_and_stays_joined(artefacts: Path, accelerator: Accelerator, tmp_path: Path) -> None:
    """Pending with the code that its console shows, approved, up; the same node whatever goes down."""
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        address = f"{HOST_ADDRESS}:{engine.link_port}"
        arguments = (f"node.engine={address}", f"node.ca={engine.pin()}")
        node = make_node(artefacts, folder / "node", accelerator, arguments=arguments)
        with switched_on(node, tmp_path / "evidence", engine.log):
            tell_the_story(engine, node)


@pytest.mark.thorough
@pytest.mark.parametrize("days", [-3000, 180], ids=["behind", "ahead"])
def test_a_node_with_a_wrong_clock_joins(
    artefacts: Path, accelerator: Accelerator, tmp_path: Path, days: int
) -> None:
    """Its battery is dead, and there is no time server: it joins, and says that its clock is wrong.

    Further ahead than the engine's certificate lasts, it would say that instead.
    """
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + days * DAY))
    with short_folder(tmp_path) as folder, running_engine(folder) as engine:
        address = f"{HOST_ADDRESS}:{engine.link_port}"
        arguments = (f"node.engine={address}", f"node.ca={engine.pin()}")
        node = make_node(artefacts, folder / "node", accelerator, arguments=arguments)
        node.boot = Boot((*node.boot.options, "-rtc", f"base={date}"))
        with switched_on(node, tmp_path / "evidence", engine.log):
            identity = is_approved_by_its_code(engine, node)
            assert abs(int(node.run("date +%s")) - time.time()) > DAY
            clock = next(rung for rung in ladder_of(node) if rung["step"] == "clock")
            assert "engine" in clock["text"], clock
            assert engine.nodes()[0]["id"] == identity


def tell_the_story(engine: Engine, node: Guest) -> None:
    """Go through it chapter by chapter."""
    identity = is_approved_by_its_code(engine, node)
    is_the_same_after_a_reboot(engine, node, identity)
    is_up_again_when_the_engine_is_back(engine, identity)
    is_up_again_when_the_network_is_back(engine, node, identity)
    is_out_once_revoked(engine, node, identity)


def is_approved_by_its_code(engine: Engine, node: Guest) -> str:
    """Compare the code on the serial console with the engine's, approve it, and return the node's id."""
    pending = engine.wait_for_state("pending")
    read_code(node, pending["code"])
    node.wait_for_shell()
    assert status_of(node)["approval_code"] == pending["code"]
    assert status_of(node)["fingerprint"] == pending["fingerprint"]
    engine.call("nodes", "approve", pending["code"])
    up = engine.wait_for_state("up", 120)
    wait_until(lambda: status_of(node)["state"] == "up", 180, "the node to know that it is up")
    assert failing_steps(node) == []
    assert up["id"] == pending["id"]
    return str(up["id"])


def is_the_same_after_a_reboot(engine: Engine, node: Guest, identity: str) -> None:
    """Reboot: the state disk has the key, and nobody is asked again."""
    node.try_run("systemctl reboot")
    wait_until(lambda: engine.nodes()[0]["state"] != "up", 120, "the engine to see that the node went")
    assert engine.wait_for_state("up")["id"] == identity
    node.wait_for_shell()


def is_up_again_when_the_engine_is_back(engine: Engine, identity: str) -> None:
    """Crash the engine: nothing is lost."""
    engine.kill()
    engine.start()
    assert engine.wait_for_state("up", 180)["id"] == identity


def is_up_again_when_the_network_is_back(engine: Engine, node: Guest, identity: str) -> None:
    """Unplug the cable for a minute: both sides notice, and it is over when it is over."""
    node.set_link("host", up=False)
    end = time.monotonic() + CUT_SECONDS
    wait_until(lambda: engine.nodes()[0]["state"] != "up", CUT_SECONDS + 30, "the engine to miss the node")
    wait_until(lambda: bool(failing_steps(node)), 180, "the node to say what fails")
    wait_until(lambda: time.monotonic() >= end, CUT_SECONDS + 1, "the minute to be over")
    node.set_link("host", up=True)
    assert engine.wait_for_state("up", 180)["id"] == identity


def is_out_once_revoked(engine: Engine, node: Guest, identity: str) -> None:
    """Revoke: the connection ends at once, and the key does not get in again."""
    engine.call("nodes", "revoke", identity)
    wait_until(lambda: status_of(node)["state"] != "up", 180, "the node to notice that it is out")
    assert engine.nodes()[0]["state"] != "up"
