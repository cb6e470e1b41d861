"""How big a build is, against its promise and its budget: `python -m bench.sizes OUT`."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.figures import markdown_table
from bench.machine import print_machine
from image.artefacts import describe_artefact
from image.plan import CHECKOUT, check_kickstart

PROMISE = 100_000_000
"""Bytes of an ISO, as the README promises."""


@dataclass(frozen=True)
class Size:
    """What something of a build takes, in bytes, and the bound that it has, if any."""

    name: str
    size: int
    bound: int | None = None


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of a finished build")
    parser.add_argument("--kickstart", type=Path, default=CHECKOUT / "kickstarts/node-debian.ks")
    arguments = parser.parse_args()
    print_machine()
    budget = check_kickstart(arguments.kickstart).size_budget
    print(sizes_table(measure_sizes(arguments.out, budget)))


def measure_sizes(out: Path, budget: int | None) -> list[Size]:
    """Measure the artefacts of a build's folder and what is on its ISO."""
    return [*iso_sizes(out, budget), *pxe_sizes(folder_files(out / "pxe")), *disk_sizes(out)]


def iso_sizes(out: Path, budget: int | None) -> list[Size]:
    """Measure the ISO, against promise and budget, and its parts."""
    iso = next(iter(sorted(out.glob("*.iso"))), None)
    if iso is None:
        return []
    described = describe_artefact(iso)
    kernel, initramfs = described.kernel_bytes or 0, described.initramfs_bytes or 0
    rest = described.bytes - described.squashfs_bytes - kernel - initramfs
    return [
        Size("ISO, against the promise", described.bytes, PROMISE),
        *([Size("ISO, against the budget", described.bytes, budget)] if budget else []),
        Size("root file system, squashfs", described.squashfs_bytes),
        Size("initramfs on ISO and disk", initramfs),
        Size("kernel", kernel),
        Size("boot loaders, menus, padding", rest),
    ]


def folder_files(folder: Path) -> dict[str, int]:
    """Name each file below a folder with its bytes."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in paths}


def pxe_sizes(files: Mapping[str, int]) -> list[Size]:
    """Add up the network's files; the initramfs there has network drivers, too."""
    if not files:
        return []
    return [Size("PXE, all files", sum(files.values())), Size("initramfs of PXE", files.get("initrd.img", 0))]


def disk_sizes(out: Path) -> list[Size]:
    """Measure the disk images."""
    names = {".raw.zst": "disk image, raw, zstd", ".qcow2": "disk image, qcow2"}
    return [
        Size(name, path.stat().st_size) for suffix, name in names.items() for path in out.glob(f"*{suffix}")
    ]


def sizes_table(sizes: list[Size]) -> str:
    """Draw sizes in decimal megabytes, and how much of its bound each takes."""
    rows = [
        [size.name, _megabytes(size.size), _megabytes(size.bound) if size.bound else "", _share(size)]
        for size in sizes
    ]
    return markdown_table(["what", "MB", "bound, MB", "of the bound"], rows)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _share(size: Size) -> str:
    return f"{100 * size.size / size.bound:.0f} %" if size.bound else ""


if __name__ == "__main__":
    main()
