"""Rules that choose a disk: each word, and what several or none means."""

import pytest

from nodelib.bus_install import InstallDisk
from nodelib.errors import Code, VirtnodeError
from nodelib.install_rules import BOOT_MEDIUM, READ_ONLY, choose_disk, describe_disk, read_rule

GB = 10**9
DISKS = (
    InstallDisk(
        "sda",
        path="/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
        ids=("ata-Samsung_SSD_870_S1", "wwn-0x5002"),
        model="Samsung SSD 870",
        serial="S1",
        size_bytes=500 * GB,
        bus="sata",
    ),
    InstallDisk("sdb", model="ST4000", serial="Z4", size_bytes=4000 * GB, rotational=True, bus="sata"),
    InstallDisk("nvme0n1", model="PM9A3", serial="N1", size_bytes=960 * GB, bus="nvme"),
    InstallDisk("nvme1n1", model="PM9A3", serial="N2", size_bytes=960 * GB, bus="nvme"),
    InstallDisk("sdc", model="Stick", size_bytes=16 * GB, bus="usb", refusals=(BOOT_MEDIUM,)),
    InstallDisk("sdd", model="Tiny", size_bytes=2 * GB, bus="usb"),
    InstallDisk("sdf", model="Card", serial="U1", size_bytes=32 * GB, bus="usb"),
    InstallDisk("sdg", model="LUN", size_bytes=8000 * GB, bus="fc"),
    InstallDisk("sde", model="Locked", size_bytes=9 * GB, refusals=(READ_ONLY,)),
)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("/dev/sda", "sda"),
        ("/dev/disk/by-id/wwn-0x5002", "sda"),
        ("/dev/disk/by-path/pci-0000:00:1f.2-ata-1", "sda"),
        ("smallest", "sda"),
        ("largest", "sdb"),
        ("first", "sda"),
        ("name:sdb", "sdb"),
        ("id:ata-samsung*", "sda"),
        ("path:pci-0000:00:1f.2-*", "sda"),
        ("serial:n2", "nvme1n1"),
        ("model:*870", "sda"),
        ("bus:nvme,first", "nvme0n1"),
        ("bus:nvme,serial:N1", "nvme0n1"),
        ("size:480G-600G", "sda"),
        ("size:500G", "sda"),
        ("size:1T-", "sdb"),
        ("size:-900G", "sda"),
        ("rotational:yes", "sdb"),
        ("rotational:no,smallest", "sda"),
        ("bus:nvme,largest,first", "nvme0n1"),
        ("bus:usb", "sdf"),
        ("serial:u1", "sdf"),
        ("bus:fc,largest", "sdg"),
    ],
)
def test_a_rule_means_one_disk(rule: str, name: str) -> None:
    """Never the boot medium, a read-only disk, or one that is too small; USB and networks when asked for."""
    assert choose_disk(rule, DISKS).name == name


@pytest.mark.parametrize("rule", ["bus:nvme", "bus:nvme,smallest", "model:PM9A3", "rotational:no"])
def test_several_disks_are_an_error(rule: str) -> None:
    """All of them are listed, with what tells them apart."""
    with pytest.raises(VirtnodeError) as caught:
        choose_disk(rule, DISKS)
    assert caught.value.code is Code.CONFLICT
    assert "nvme0n1 (PM9A3, 960.0 GB, serial N1); nvme1n1" in caught.value.message


@pytest.mark.parametrize("rule", ["name:sdc", "size:2G", "serial:none", "name:sde", "/dev/sdz"])
def test_no_disk_is_an_error(rule: str) -> None:
    """The candidates are listed."""
    with pytest.raises(VirtnodeError) as caught:
        choose_disk(rule, DISKS)
    assert caught.value.code is Code.NOT_FOUND
    assert "sda (Samsung SSD 870" in caught.value.message


@pytest.mark.parametrize(
    "rule", ["", "biggest", "bus:", "size:many", "rotational:maybe", "colour:red", "first,,first"]
)
def test_a_word_that_makes_no_sense_is_named(rule: str) -> None:
    """And all words are explained."""
    with pytest.raises(VirtnodeError) as caught:
        read_rule(rule)
    assert caught.value.code is Code.INVALID
    assert caught.value.hint


def test_a_device_that_is_named_is_meant_whatever_it_is() -> None:
    """Why it is refused is then said of it, and not that there is none."""
    assert choose_disk("/dev/sdc", DISKS).name == "sdc"


def test_a_disk_without_serial_number_says_so() -> None:
    """Nobody types what is not there."""
    assert describe_disk(DISKS[5]) == "sdd (Tiny, 2.0 GB, no serial)"
