"""What is part of something larger, or used by several machines at once: told by file systems and types."""

RAID_SUFFIX = "_raid_member"
"""What libblkid's name of each kind of RAID ends with: Linux's own, and those of controllers."""
FILE_SYSTEMS = {
    "LVM1_member": "lvm",
    "zfs_member": "zfs",
    "ceph_bluestore": "ceph",
    "crypto_LUKS": "luks",
    "BitLocker": "bitlocker",
    "drbd": "drbd",
    "drbdmanage_control_volume": "drbd",
    "bcache": "bcache",
    "stratis": "stratis",
    "vdo": "vdo",
    "mpath_member": "multipath",
    "VMFS_volume_member": "vmfs",
    "VMFS": "vmfs",
    "ocfs": "ocfs2",
    "ocfs2": "ocfs2",
    "gfs": "gfs2",
    "gfs2": "gfs2",
    "oracleasm": "oracleasm",
    "vxfs": "vxfs",
}
"""File system types as libblkid says them, and what `wipe` calls each."""
PARTITION_TYPES = {
    "AA31E02A-400F-11DB-9590-000C2911D1B8": "vmfs",
    "0XFB": "vmfs",
    "381CFCCC-7288-11E0-92EE-000C2911D0B2": "vsan",
    "4FBD7E29-9D25-41B8-AFD0-062C0CEFF05D": "ceph",
    "E75CAF8F-F680-4CEE-AFA3-B001E56EFC2D": "storage-spaces",
}
"""Partition types, in capitals, of what may be there without a file system that anybody knows."""


def name_member(filesystem: str, partition_type: str) -> str:
    """Return what `wipe` calls the larger thing that a device is part of; empty where it is its own."""
    if filesystem.endswith(RAID_SUFFIX):
        return "raid"
    return FILE_SYSTEMS.get(filesystem) or PARTITION_TYPES.get(partition_type, "")
