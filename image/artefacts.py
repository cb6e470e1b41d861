"""inspect: what an artefact is and holds, read from the artefact itself."""

import dataclasses
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from image.boot_menu import MenuEntry, read_menus
from image.boot_methods import BootMethods, find_boot_methods, kernel_version
from image.embedded import Embedded, describe_embedded, embedded_lines
from image.manifest import MANIFEST_NAME, read_manifest
from image.medium import Kind, Medium, Partition, StoredFile, find_beside, open_medium
from image.squashfs_reader import Superblock, read_superblock
from image.tables import make_console, make_table, megabytes
from image.update_description import UpdateDescription, describe_update, update_lines
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run
from nodelib.secret_arguments import hide_secret_arguments

_BOOT_WORDS = {
    "bios_cd": "BIOS from CD (El Torito)",
    "uefi_cd": "UEFI from CD (El Torito)",
    "bios_disk": "BIOS from disk or USB",
    "uefi_disk": "UEFI from disk or USB",
    "network": "network",
    "shim": "Secure Boot's shim",
}
_KERNEL_NAMES = ("vmlinuz", "linux")
_INITRAMFS_NAMES = ("initrd", "initramfs")


@dataclass(frozen=True)
class ArtefactDescription:
    """What an artefact is, in bytes; a text is empty, a number None, when the artefact does not say."""

    path: str
    kind: Kind
    bytes: int
    product: str
    version: str
    base: str
    plan: str
    kernel: str
    kernel_bytes: int | None
    initramfs_bytes: int | None
    squashfs_bytes: int
    compressor: str
    block_size: int
    packages: int | None
    """Packages with files on the image; known from the manifest beside the artefact."""
    boot: BootMethods
    menu: tuple[MenuEntry, ...]
    partitions: tuple[Partition, ...]
    embedded: Embedded
    update: UpdateDescription | None = None
    """What an update bundle says of itself."""


def describe_artefact(
    path: Path, original: Path | None = None, keys: Path | None = None
) -> ArtefactDescription:
    """Look into an artefact, or into the one that a folder holds; secrets that are embedded are hidden.

    `original` is what a customised artefact was made of, or the SHA256SUMS of that; `keys` is a folder with
    the public keys that may have signed an update bundle.
    """
    with open_medium(path) as medium:
        release = _read_os_release(medium.squashfs)
        superblock = _read_superblock(medium.squashfs)
        manifest_path = find_beside(medium.path, MANIFEST_NAME)
        manifest = read_manifest(manifest_path) if manifest_path else None
        kernel = _find_file(medium, _KERNEL_NAMES)
        initramfs = _find_file(medium, _INITRAMFS_NAMES)
        return ArtefactDescription(
            path=str(medium.path),
            kind=medium.kind,
            bytes=medium.bytes,
            product=release.get("IMAGE_ID") or release.get("ID", ""),
            version=release.get("IMAGE_VERSION") or release.get("VERSION_ID", ""),
            base=_describe_base(release),
            plan=release.get("BUILD_ID") or (manifest.identity.plan if manifest else ""),
            kernel=kernel_version(kernel) if kernel else "",
            kernel_bytes=kernel.size if kernel else None,
            initramfs_bytes=initramfs.size if initramfs else None,
            squashfs_bytes=superblock.bytes_used,
            compressor=superblock.compressor,
            block_size=superblock.block_size,
            packages=sum(1 for package in manifest.packages if package.files) if manifest else None,
            boot=find_boot_methods(medium),
            menu=tuple(
                dataclasses.replace(entry, arguments=hide_secret_arguments(entry.arguments))
                for entry in read_menus(medium.files)
            ),
            partitions=medium.partitions,
            embedded=describe_embedded(medium, original),
            update=describe_update(medium.path, keys) if medium.kind is Kind.UPDATE else None,
        )


def print_artefact(
    description: ArtefactDescription, *, as_json: bool, console: Console | None = None
) -> None:
    """Print an artefact's description: tables for a person, or one JSON object."""
    if as_json:
        print(json.dumps(dataclasses.asdict(description), indent=2, sort_keys=True))
        return
    console = console or make_console()
    console.print(_facts_table(description))
    if description.partitions:
        console.print(_partitions_table(description.partitions))
    for line in [*embedded_lines(description.embedded), *update_lines(description.update)]:
        console.print(line, markup=False)
    for entry in description.menu:
        console.print(f"{entry.menu}: {entry.title}", markup=False)
        console.print(f"    {entry.kernel} {entry.arguments}", markup=False)


def parse_os_release(text: str) -> dict[str, str]:
    """Read os-release's assignments, quotes taken off."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): "".join(shlex.split(value)) if value else "" for key, value in pairs}


def _read_os_release(squashfs: StoredFile) -> Mapping[str, str]:
    argv = ["unsquashfs", "-no-progress", "-offset", str(squashfs.offset), "-cat"]
    for name in ("usr/lib/os-release", "etc/os-release"):
        result = run([*argv, squashfs.source, name], check=False)
        if result.status == 0 and result.stdout:
            return parse_os_release(result.stdout)
    return {}


def _read_superblock(squashfs: StoredFile) -> Superblock:
    with squashfs.source.open("rb") as file:
        superblock = read_superblock(file, squashfs.offset)
    if superblock.bytes_used > squashfs.size:
        message = f"{squashfs.source} holds a truncated squashfs image"
        raise VirtnodeError(Code.INVALID, message, "compare it with SHA256SUMS, or copy it again")
    return superblock


def _describe_base(release: Mapping[str, str]) -> str:
    is_ours = release.get("ID") == release.get("IMAGE_ID")
    distribution = release.get("ID_LIKE", "").split(" ")[0] if is_ours else release.get("ID", "")
    return f"{distribution} {release.get('VERSION_CODENAME') or release.get('VERSION_ID', '')}".strip()


def _find_file(medium: Medium, beginnings: tuple[str, ...]) -> StoredFile | None:
    return next((file for file in medium.files if Path(file.path).name.startswith(beginnings)), None)


def _facts_table(description: ArtefactDescription) -> Table:
    boot = [words for name, words in _BOOT_WORDS.items() if getattr(description.boot, name)]
    facts = {
        "artefact": f"{description.path} ({description.kind}, {megabytes(description.bytes)})",
        "product": f"{description.product} {description.version}".strip(),
        "base": description.base,
        "plan": description.plan,
        "kernel": _with_size(description.kernel, description.kernel_bytes),
        "initramfs": _with_size("", description.initramfs_bytes),
        "root": f"squashfs, {description.compressor}, blocks of {description.block_size // 1024} KiB, "
        f"{megabytes(description.squashfs_bytes)}",
        "packages": "" if description.packages is None else str(description.packages),
        "embedded": _embedded_words(description.embedded),
        "the rest": description.embedded.rest,
        "boots by": ", ".join(boot) or "nothing: it is a part of a medium",
    }
    table = make_table("", "")
    for name, fact in facts.items():
        table.add_row(name, fact or "unknown")
    return table


def _embedded_words(embedded: Embedded) -> str:
    if not embedded.has_area or embedded.problem:
        return embedded.problem
    words = ["configuration, signed" if embedded.signed else "configuration"] if embedded.config else []
    words += ["kernel arguments"] if embedded.arguments else []
    return " and ".join(words) or "nothing"


def _with_size(text: str, size: int | None) -> str:
    return text if size is None else f"{text} ({megabytes(size)})".strip()


def _partitions_table(partitions: tuple[Partition, ...]) -> Table:
    table = make_table("partition", ">start", ">size", "type")
    for partition in partitions:
        start, size = megabytes(partition.start), megabytes(partition.bytes)
        table.add_row(partition.name or "-", start, size, partition.type)
    return table
