"""Multipath disks, iSCSI sessions and the initiator of a made-up machine."""

import json
from pathlib import Path

from nodeagent.storage.view import MULTIPATH_COMMAND, collect_storage
from nodelib.bus_storage import IscsiSession, Multipath, StorageView
from tests.nodeagent.machines import Commands, make_machine

FILES = {
    "etc/iscsi/initiatorname.iscsi": "## comment\nInitiatorName=iqn.1993-08.org.debian:01:abc\n",
    "sys/class/iscsi_session/session3/targetname": "iqn.2001-04.com.example:disk1\n",
    "sys/class/iscsi_session/session3/device/target2:0:0/2:0:0:1/block/sdc/size": "8\n",
    "sys/class/iscsi_session/session4/targetname": "iqn.2001-04.com.example:disk2\n",
    "sys/class/iscsi_connection/connection3:0/persistent_address": "192.0.2.9\n",
    "sys/class/iscsi_connection/connection3:0/persistent_port": "3260\n",
    "sys/class/iscsi_connection/connection4:0/address": "2001:db8::9\n",
    "sys/class/iscsi_connection/connection4:0/port": "3260\n",
    "sys/class/block/dm-0/dm/uuid": "mpath-360014050000000000000000000000001\n",
    "sys/class/block/dm-0/dm/name": "mpatha\n",
    "sys/class/block/dm-0/size": "2048\n",
    "sys/class/block/dm-0/slaves/sda/size": "2048\n",
    "sys/class/block/dm-0/slaves/sdb/size": "2048\n",
    "sys/class/block/dm-1/dm/uuid": "LVM-x\n",
}
MAPS = {
    "major_version": 0,
    "maps": [
        {
            "name": "mpatha",
            "uuid": "360014050000000000000000000000001",
            "sysfs": "dm-0",
            "path_groups": [
                {"paths": [{"dev": "sda", "dm_st": "active", "chk_st": "ready"}]},
                {"paths": [{"dev": "sdb", "dm_st": "failed", "chk_st": "faulty"}]},
            ],
        }
    ],
}


def test_storage_is_described(tmp_path: Path) -> None:
    """Each path with its state, each session with its portal and disks."""
    commands = Commands({MULTIPATH_COMMAND: json.dumps(MAPS)})
    assert collect_storage(make_machine(tmp_path, FILES), commands) == StorageView(
        initiator="iqn.1993-08.org.debian:01:abc",
        multipaths=(
            Multipath(
                "mpatha",
                "360014050000000000000000000000001",
                1048576,
                ("sda active ready", "sdb failed faulty"),
            ),
        ),
        sessions=(
            IscsiSession("iqn.2001-04.com.example:disk1", "192.0.2.9:3260", ("sdc",)),
            IscsiSession("iqn.2001-04.com.example:disk2", "[2001:db8::9]:3260"),
        ),
    )


def test_a_multipathd_that_is_dead_is_told(tmp_path: Path) -> None:
    """The kernel still knows the disks; of their paths it knows the names."""
    view = collect_storage(make_machine(tmp_path, FILES), Commands({}))
    assert view.multipaths[0].paths == ("sda", "sdb")
    assert view.multipaths[0].size_bytes == 1048576
    assert len(view.problems) == 1


def test_a_node_with_plain_disks_has_nothing_to_tell(tmp_path: Path) -> None:
    """No initiator yet, no multipathd: no problem, and nobody is asked."""
    commands = Commands({})
    assert collect_storage(
        make_machine(tmp_path, {"etc/iscsi/initiatorname.iscsi": "GenerateName=yes\n"}), commands
    ) == (StorageView())
    assert commands.calls == []
