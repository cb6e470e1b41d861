"""Operating systems and hypervisors, told by the names that their disks have."""

import re
from collections.abc import Sequence

SYSTEMS = (
    (r"virtnode-.*", "virtnode"),
    (r"VMFS.*|AA31E02A-400F-11DB-9590-000C2911D1B8|9D275380-40AD-11DB-BF97-000C2911D1B8", "VMware ESXi"),
    (r"pve|pve-.*", "Proxmox VE"),
    (r"onn.*|RHVH.*|rhvh.*|ovirt.*", "oVirt Node"),
    (r"XSLocalEXT-.*|VG_XenStorage-.*|logs-[0-9a-z]{6}|root-[0-9a-z]{6}", "XCP-ng or XenServer"),
    (r"HARV_.*|COS_.*", "Harvester"),
    (r"boot-pool|freenas-boot", "TrueNAS"),
    (r"E3C9E316-0B5C-4DB8-817D-F92DF00215AE|BitLocker|ntfs", "Windows"),
    (r"fedora.*", "Fedora"),
    (r"rhel.*|centos.*|rocky.*|almalinux.*", "an Enterprise Linux"),
    (r"ubuntu-vg", "Ubuntu"),
    (r"debian.*-vg", "Debian"),
)
"""A pattern of labels, partition names, partition types and volume groups, and what it means."""


def name_system(words: Sequence[str]) -> str:
    """Name the system that one of these names belongs to; empty where none does."""
    return next(
        (name for pattern, name in SYSTEMS for word in words if word and re.fullmatch(pattern, word)), ""
    )
