"""Made-up machines: files below a root as the kernel and udev write them, and what commands print."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nodeagent.facts.disks import LSBLK_COMMAND
from nodeagent.facts.nics import ADDRESS_COMMAND, LLDP_COMMAND
from nodeagent.facts.virtualisation import PROBE_COMMAND
from nodeagent.health import FAILED_COMMAND

UUID = "4c4c4544-0042-3510-8052-b4c04f4b3132"
LINK = "-> "
"""A file's text that begins so is a symlink's target."""

MACHINE: Mapping[str, str] = {
    "proc/cmdline": "root=live:CDLABEL=VIRTNODE-12345678\n",
    "proc/cpuinfo": "".join(
        f"processor\t: {number}\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7313\n"
        "flags\t\t: fpu svm npt\n\n"
        for number in range(4)
    ),
    "proc/meminfo": "MemTotal:       16384 kB\nMemAvailable:    8192 kB\nSwapTotal:       1024 kB\n",
    "proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 3\n",
    "proc/uptime": "123.45 200.00\n",
    "proc/loadavg": "0.50 0.40 0.30 1/100 1234\n",
    "proc/sys/kernel/hostname": "node1.example.org\n",
    "proc/sys/kernel/arch": "x86_64\n",
    "proc/sys/kernel/osrelease": "6.12.48-amd64\n",
    "proc/sys/kernel/random/boot_id": "0f0e0d0c-1111-2222-3333-444455556666\n",
    "usr/lib/os-release": 'PRETTY_NAME="virtnode 0.1.0 (Debian GNU/Linux 13)"\nBUILD_ID=abcdef12\n',
    **{
        f"sys/devices/system/cpu/cpu{number}/topology/{name}": f"{value}\n"
        for number, (package, core) in enumerate([(0, 0), (0, 0), (1, 0), (1, 0)])
        for name, value in (("physical_package_id", package), ("core_id", core))
    },
    "sys/devices/system/cpu/cpufreq/x": "",
    "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal:       8192 kB\nNode 0 MemFree: 1 kB\n",
    "sys/devices/system/node/node0/cpulist": "0-1\n",
    "sys/devices/system/node/node1/meminfo": "Node 1 MemTotal:       8192 kB\n",
    "sys/devices/system/node/node1/cpulist": "2,3\n",
    "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "16\n",
    "sys/module/kvm_amd/parameters/nested": "1\n",
    "sys/class/dmi/id/sys_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/product_name": "PowerEdge R650\n",
    "sys/class/dmi/id/product_serial": "ABC1234\n",
    "sys/class/dmi/id/product_uuid": f"{UUID.upper()}\n",
    "sys/class/dmi/id/bios_vendor": "Dell Inc.\n",
    "sys/class/dmi/id/bios_version": "1.9.2\n",
    "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\0\0\0\x01",
    "sys/class/tpm/tpm0/tpm_version_major": "2\n",
    "sys/class/iommu/ivhd0/x": "",
    "dev/kvm": "",
    "sys/class/net/lo/address": "00:00:00:00:00:00\n",
    "sys/class/net/eth0/address": "52:54:00:00:00:01\n",
    "sys/class/net/eth0/ifindex": "2\n",
    "sys/class/net/eth0/mtu": "1500\n",
    "sys/class/net/eth0/carrier": "1\n",
    "sys/class/net/eth0/speed": "10000\n",
    "sys/class/net/eth0/device/driver": f"{LINK}../../../bus/pci/drivers/ixgbe",
    "sys/class/net/eth0/master": f"{LINK}../bond0",
    "sys/class/net/eth1/address": "52:54:00:00:00:02\n",
    "sys/class/net/eth1/ifindex": "3\n",
    "sys/class/net/eth1/mtu": "1500\n",
    "sys/class/net/eth1/carrier": "0\n",
    "sys/class/net/eth1/speed": "-1\n",
    "sys/class/net/eth1/device/driver": f"{LINK}../../../bus/pci/drivers/ixgbe",
    "sys/class/net/bond0/address": "52:54:00:00:00:01\n",
    "sys/class/net/bond0/carrier": "1\n",
    "sys/class/net/bond0/bonding/mode": "active-backup 1\n",
    "sys/class/net/br0/bridge/bridge_id": "8000.525400000001\n",
    "sys/class/net/vlan10/uevent": "DEVTYPE=vlan\nINTERFACE=vlan10\n",
    "sys/class/net/vnet0/address": "fe:54:00:00:00:09\n",
    "sys/class/net/bonding_masters": "bond0\n",
    "run/udev/data/n2": "E:ID_BUS=pci\nE:ID_PATH=pci-0000:00:03.0\n",
    "dev/disk/by-path/pci-0000:00:1f.2-ata-1": f"{LINK}../../sda",
    "run/libvirt/qemu/driver.pid": "1\n",
    "run/libvirt/qemu/vm1.pid": "1\n",
    "run/libvirt/qemu/vm1.xml": "<domstatus/>\n",
}

DISKS = {
    "blockdevices": [
        {"name": "zram0", "type": "disk", "size": 1000},
        {"name": "sr0", "type": "rom", "size": 1000},
        {"name": "fd0", "type": "disk", "size": 0},
        {
            "name": "sda",
            "type": "disk",
            "size": 500107862016,
            "model": "Samsung SSD 870 ",
            "serial": "S1",
            "rota": False,
            "tran": "sata",
            "pttype": "gpt",
            "children": [
                {
                    "name": "sda1",
                    "type": "part",
                    "size": 1,
                    "fstype": "vfat",
                    "label": "ESP",
                    "pttype": "gpt",
                },
                {
                    "name": "sda2",
                    "type": "part",
                    "size": 1,
                    "fstype": "LVM2_member",
                    "children": [{"name": "vg-data", "type": "lvm", "fstype": "ext4", "label": "data"}],
                },
            ],
        },
        {"name": "sdb", "type": "disk", "size": "1000", "rota": True, "tran": None, "model": None},
    ]
}

OUTPUTS: Mapping[tuple[str, ...], object] = {
    ADDRESS_COMMAND: [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {
            "ifname": "bond0",
            "addr_info": [
                {"local": "192.0.2.5", "prefixlen": 24, "scope": "global"},
                {"local": "fe80::1", "prefixlen": 64, "scope": "link"},
                {"local": "2001:db8::5", "prefixlen": 64, "scope": "global"},
            ],
        },
    ],
    LLDP_COMMAND: {
        "Neighbors": [
            {
                "InterfaceName": "eth0",
                "Neighbors": [{"ChassisID": "00:11:22:33:44:55", "PortID": "Eth1/7", "SystemName": "sw1"}],
            }
        ]
    },
    LSBLK_COMMAND: DISKS,
    PROBE_COMMAND: {
        "libvirt": "11.3.0",
        "qemu": "10.0.0",
        "domain_types": ["qemu", "kvm"],
        "machines": ["pc-i440fx-10.0", "q35"],
        "guest_cpu": "EPYC-Milan",
    },
    FAILED_COMMAND: [],
}


def at_once(work: Callable[[], None]) -> None:
    """Do at once what an agent does beside."""
    work()


@dataclass
class Commands:
    """Prints what is recorded, and nothing for any other command."""

    outputs: dict[tuple[str, ...], object] = field(default_factory=lambda: dict(OUTPUTS))
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> str:
        """Look a command up."""
        self.calls.append(tuple(argv))
        found = self.outputs.get(tuple(argv), "")
        return found if isinstance(found, str) else json.dumps(found)


def make_machine(root: Path, files: Mapping[str, str]) -> Path:
    """Write a machine's files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith(LINK):
            path.unlink(missing_ok=True)
            path.symlink_to(text.removeprefix(LINK))
        else:
            path.write_bytes(text.encode("latin-1"))
    return root
