"""Fedora, installed by dnf: repositories from the kickstart, keys from the kickstart or the host."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from image.bases import BootFiles, Package, Report, RepositoryState, Sources
from image.bases.dnf import Dnf, DnfSetup, find_dnf, install_words, prepare_dnf, query_dnf, run_dnf
from image.bases.dnf_errors import explain_failure
from image.bases.repomd import expand_variables, read_states
from image.bases.rpm_boot import extract_boot_files
from image.bases.rpmdb import list_rpms
from image.config import ImageConfig, Packages, Repository
from nodelib.errors import Code, InvalidInput, VirtnodeError

HOST_KEYS = (
    "usr/share/distribution-gpg-keys/fedora/RPM-GPG-KEY-fedora-{release}-primary",
    "etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-{release}-primary",
    "etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-{release}-x86_64",
)


class Fedora:
    """The base that calls dnf; it keeps nothing between calls."""

    name = "fedora"

    def __init__(self, dnf: Dnf | None = None, host: Path = Path("/")) -> None:
        self._dnf = dnf
        self._host = host

    def read_repositories(self, config: ImageConfig, sources: Sources) -> tuple[RepositoryState, ...]:
        """Ask each repository for the digest of its repomd.xml."""
        return read_states(select_repositories(config, sources))

    def install(self, config: ImageConfig, sources: Sources, root: Path, report: Report) -> None:
        """Install the kickstart's packages, signatures checked, into `root`."""
        root = root.resolve()
        with self._prepare(config, sources, config.packages) as setup:
            result = run_dnf(setup, root, install_words(config.packages), report)
            failure = explain_failure(result, lambda: query_dnf(setup, ["--queryformat", "%{name}\n"]))
        if failure is not None:
            raise failure

    def list_packages(self, root: Path) -> list[Package]:
        """Read the rpm database of an installed root."""
        return list_rpms(root.resolve())

    def fetch_boot_files(
        self, config: ImageConfig, sources: Sources, root: Path, destination: Path
    ) -> BootFiles:
        """Unpack shim, GRUB for media and network, and GRUB's BIOS modules into `destination`."""
        # A kickstart may well exclude grub2* from the root; the media need it all the same.
        with self._prepare(config, sources, Packages()) as setup:
            return extract_boot_files(setup, root.resolve(), destination.resolve())

    def _prepare(
        self, config: ImageConfig, sources: Sources, packages: Packages
    ) -> AbstractContextManager[DnfSetup]:
        repositories = select_repositories(config, sources)
        keys = find_keys(config, self._host)
        dnf = self._dnf or find_dnf()
        return prepare_dnf(dnf, packages, repositories, keys, cache=sources.cache, releasever=config.suite)


def select_repositories(config: ImageConfig, sources: Sources) -> tuple[Repository, ...]:
    """List the kickstart's repositories, the main one first and replaced by `--mirror` when that is given."""
    main = config.url
    if sources.mirror:
        main = replace(main or Repository(name=""), baseurl=sources.mirror, mirrorlist="", metalink="")
    repositories = [main, *config.repositories] if main else list(config.repositories)
    if not repositories:
        raise InvalidInput([f"{config.source} names no repository"], "add a url command, or pass --mirror")
    return tuple(expand_variables(repository, config.suite) for repository in repositories)


def find_keys(config: ImageConfig, host: Path) -> list[Path]:
    """Find the files of the keys to trust: the kickstart's, else the host's for this release of Fedora."""
    if config.gpg_keys:
        return _check_keys([Path(key) for key in config.gpg_keys])
    for pattern in HOST_KEYS:
        key = host / pattern.format(release=config.suite)
        if config.suite and key.exists():
            return [key.resolve()]
    release = config.suite or "(no suite given)"
    raise VirtnodeError(
        Code.NOT_FOUND,
        f"this host has no key of Fedora {release}",
        "install distribution-gpg-keys, or name the key's file in %addon virtnode_image (gpgkey)",
    )


def _check_keys(keys: Sequence[Path]) -> list[Path]:
    absent = [f"the key {key} does not exist" for key in keys if not key.is_file()]
    if absent:
        raise InvalidInput(absent, "correct gpgkey in %addon virtnode_image")
    return [key.resolve() for key in keys]
