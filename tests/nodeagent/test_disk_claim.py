"""An installation, a repair and an update never write at the same time."""

from pathlib import Path

import pytest

from nodeagent.disk_claim import DiskClaim
from nodelib.bus_install import InstallRequest, InstallRun, InstallState
from nodelib.errors import Code, VirtnodeError
from tests.nodeagent.install.machines import Machine, disk_row
from tests.nodeagent.update.test_update import update
from tests.nodeagent.update.worlds import World, bundle_for, make_world


def test_one_holds_it_at_a_time() -> None:
    """The other hears who; afterwards it is free again, whatever went wrong."""
    claim = DiskClaim()

    def fail() -> None:
        with pytest.raises(VirtnodeError, match="an update is under way") as caught:
            claim.check()
        assert caught.value.code is Code.BUSY
        with pytest.raises(VirtnodeError, match="an update is under way"), claim.held("an installation"):
            raise AssertionError
        raise ValueError("a disk")

    with pytest.raises(ValueError, match="a disk"), claim.held("an update"):
        fail()
    claim.check()


def test_an_update_waits_for_no_installation(tmp_path: Path) -> None:
    """It is refused at once, and what was is not forgotten."""
    world: World = make_world(tmp_path)
    with world.claim.held("an installation to sdb"), pytest.raises(VirtnodeError, match="sdb is under way"):
        update(world, bundle_for(tmp_path))
    update(world, bundle_for(tmp_path))


def test_an_installation_waits_for_no_update(tmp_path: Path) -> None:
    """It is refused at once, and may be asked for again."""
    machine = Machine(tmp_path, [disk_row()])
    installation = machine.installation()
    request = InstallRequest("/dev/sda")
    plan = installation.plan(request)
    run = InstallRun(request, plan.id, plan.disk.confirmation)
    with machine.claim.held("an update"), pytest.raises(VirtnodeError, match="an update is under way"):
        installation.run(run, "root")
    assert installation.progress().state is InstallState.IDLE
    installation.run(run, "root")
    installation.wait(60)
    assert installation.progress().state is InstallState.SUCCEEDED
