"""Signed boot loaders out of RPMs: which packages, and where in them each file lies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases import BootFiles, Package
from image.bases.dnf import DnfSetup, query_dnf
from image.bases.repomd import download
from image.bases.rpmdb import list_rpms
from image.config import Repository
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run


@dataclass(frozen=True)
class BootNames:
    """One distribution's names: its packages, and for each file the patterns, one of which finds it."""

    packages: tuple[str, ...]
    shim: tuple[str, ...]
    mok_manager: tuple[str, ...]
    grub_removable: tuple[str, ...]
    grub_disk: tuple[str, ...]
    grub_network: tuple[str, ...]
    grub_bios: tuple[str, ...]
    vendor: str = ""
    """The folder below EFI/; the one that shim lies in when empty."""


FEDORA = BootNames(
    packages=("shim-x64", "grub2-efi-x64", "grub2-efi-x64-cdboot", "grub2-pc-modules"),
    # Fedora 44 moved these below /usr: https://fedoraproject.org/wiki/Changes/BootLoaderUpdatesPhase1
    shim=("boot/efi/EFI/*/shimx64.efi", "usr/lib/efi/shim/*/EFI/*/shimx64.efi"),
    mok_manager=("boot/efi/EFI/*/mmx64.efi", "usr/lib/efi/shim/*/EFI/*/mmx64.efi"),
    grub_removable=("boot/efi/EFI/*/gcdx64.efi", "usr/lib/efi/grub2/*/EFI/*/gcdx64.efi"),
    grub_disk=("boot/efi/EFI/*/grubx64.efi", "usr/lib/efi/grub2/*/EFI/*/grubx64.efi"),
    # The same file: Fedora builds the network drivers into it.
    grub_network=("boot/efi/EFI/*/grubx64.efi", "usr/lib/efi/grub2/*/EFI/*/grubx64.efi"),
    grub_bios=("usr/lib/grub/i386-pc",),
)
DEBIAN = BootNames(
    packages=("shim-signed", "shim-helpers-amd64-signed", "grub-efi-amd64-signed", "grub-pc-bin"),
    shim=("usr/lib/shim/shimx64.efi.signed",),
    mok_manager=("usr/lib/shim/mmx64.efi.signed",),
    grub_removable=("usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed",),
    grub_disk=("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",),
    grub_network=("usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed",),
    grub_bios=("usr/lib/grub/i386-pc",),
    vendor="debian",
)
BOOT_NAMES = (FEDORA, DEBIAN)


def extract_boot_files(setup: DnfSetup, root: Path, destination: Path) -> BootFiles:
    """Fetch the boot loaders on offer, check their signatures and unpack them into `destination`."""
    urls = find_boot_packages(setup)
    names = choose_names(urls)
    downloads = setup.directory / "boot"
    downloads.mkdir()
    wanted = [urls[name] for name in names.packages]
    rpms = [download(url, _repository_of(url, setup.repositories), downloads) for url in wanted]
    _unpack(setup, rpms, destination)
    packages = list_rpms(destination)
    check_same_build([*packages, *list_rpms(root)])
    return locate_files(names, destination, tuple(packages))


def find_boot_packages(setup: DnfSetup) -> dict[str, str]:
    """Ask for the address of the newest of every boot package that any distribution names, by package."""
    wanted = sorted({package for names in BOOT_NAMES for package in names.packages})
    lines = query_dnf(setup, ["--location", "--latest-limit=1", *wanted])
    return {url.rsplit("/", 1)[-1].rsplit("-", 2)[0]: url for url in lines}


def choose_names(urls: dict[str, str]) -> BootNames:
    """Choose the first distribution whose boot packages are all on offer."""
    for names in BOOT_NAMES:
        if all(package in urls for package in names.packages):
            return names
    absent = [package for package in FEDORA.packages if package not in urls]
    raise VirtnodeError(
        Code.NOT_FOUND,
        f"the repositories offer no {', '.join(absent)}: the image could not boot",
        "name a repository that has them; they are in Fedora's main one",
    )


def check_same_build(packages: Sequence[Package]) -> None:
    """Refuse a boot loader of two builds, or of another build than the root's."""
    builds: dict[str, str] = {}
    for package in packages:
        name, version = package.source.split(" ", 1)
        if name in ("shim", "grub2") and builds.setdefault(name, version) != version:
            raise VirtnodeError(
                Code.CONFLICT,
                f"{name} comes in two builds, {builds[name]} and {version}",
                "the repositories changed or disagree: build the root again",
            )


def locate_files(names: BootNames, directory: Path, packages: tuple[Package, ...]) -> BootFiles:
    """Find each boot file below `directory`."""
    shim = _locate(directory, names.shim)
    return BootFiles(
        shim=shim,
        mok_manager=_locate(directory, names.mok_manager),
        grub_removable=_locate(directory, names.grub_removable),
        grub_disk=_locate(directory, names.grub_disk),
        grub_network=_locate(directory, names.grub_network),
        grub_bios=_locate(directory, names.grub_bios),
        vendor=names.vendor or shim.parent.name,
        packages=packages,
    )


def _locate(directory: Path, patterns: Sequence[str]) -> Path:
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            return path
    raise VirtnodeError(Code.NOT_FOUND, f"the boot packages hold no {' or '.join(patterns)}")


def _unpack(setup: DnfSetup, rpms: Sequence[Path], destination: Path) -> None:
    """Let rpm itself unpack and verify: no dependencies, no scriptlets, a database of its own."""
    destination.mkdir(parents=True, exist_ok=True)
    env = {"HOME": str(setup.home)}
    run(["rpmkeys", f"--root={destination}", "--import", *setup.keys], env=env)
    words = ["--install", "--nodeps", "--noscripts", "--notriggers", "--excludedocs"]
    result = run(["rpm", f"--root={destination}", *words, *rpms], env=env, check=False)
    if result.status != 0:
        said = [line.strip() for line in result.stderr.splitlines() if not line.startswith("warning")]
        message = f"the boot packages cannot be unpacked: {'; '.join(said[:2])}"
        raise VirtnodeError(Code.FAILED, message, "is the key the repository's own?")


def _repository_of(url: str, repositories: Sequence[Repository]) -> Repository:
    """Find whose proxy and TLS settings an address needs; a mirror's is unknown and takes the first's."""
    addressed = (repository for repository in repositories if repository.baseurl)
    return next((each for each in addressed if url.startswith(each.baseurl)), repositories[0])
