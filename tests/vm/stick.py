"""A USB stick as a shop sells it, one FAT partition on it, and what a node has put there."""

from pathlib import Path

from nodelib.run import run

MEBIBYTES, LABEL = 64, "HELPDESK"
FIRST_SECTOR = 2048


def make_stick(path: Path) -> tuple[str, ...]:
    """Make one, and return the options that plug it into a machine."""
    with path.open("wb") as file:
        file.truncate(MEBIBYTES << 20)
    run(["sfdisk", "--quiet", path], stdin=f"label: dos\nstart={FIRST_SECTOR}, type=c\n")
    run(["mkfs.vfat", "-n", LABEL, "--offset", str(FIRST_SECTOR), path])
    drive = f"if=none,id=shop,format=raw,file={path}"
    return ("-device", "qemu-xhci", "-drive", drive, "-device", "usb-storage,drive=shop,removable=on")


def take_files(stick: Path, folder: Path) -> list[Path]:
    """Copy all that is on it into a new folder."""
    folder.mkdir()
    run(["mcopy", "-s", "-n", "-i", f"{stick}@@{FIRST_SECTOR * 512}", "::*", folder])
    return sorted(folder.iterdir())
