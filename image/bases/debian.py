"""The Debian base: repositories from the host's apt sources, installed by mmdebstrap."""

import contextlib
import fcntl
import hashlib
import http.client
import logging
import re
import shlex
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from image.bases import BootFiles, Package, Report, RepositoryState, Sources
from image.bases.apt import MIRROR_HINT, Archive, find_archives
from image.bases.licences import licence_of_copyright
from image.bases.unsynced import unsynced_argv
from image.chroot import PATH
from image.config import ImageConfig, Packages
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, disk_full_error, run

logger = logging.getLogger(__name__)

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SEARCH_TIMEOUT = 20
"""Seconds to wait for an archive's answer."""

BOOT_PACKAGES = ("shim-signed", "shim-helpers-amd64-signed", "grub-efi-amd64-signed", "grub-pc-bin")
DOCUMENTATION = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/doc/*", "/usr/share/lintian/*")
COPYRIGHT = "/usr/share/doc/*/copyright"
FILTERS = "/etc/dpkg/dpkg.cfg.d/virtnode"
ASIDE = Path(__file__).parents[1] / "data/mmdebstrap/aside"
"""Commands that package scripts find in place of the real ones."""
ASIDE_INSIDE = "/.virtnode-aside"
"""Where those lie in the root, first on the path, while packages are installed."""
PACKAGE_QUERY = "${Package}\t${Version}\t${Architecture}\t${source:Package} ${source:Version}"
MISSING_PACKAGE = re.compile(
    r"E: Unable to locate package (\S+)|E: Package '([^']+)' has no installation candidate"
)
DISK_FULL = ("No space left on device", "have enough free space")
BAD_SIGNATURE = ("NO_PUBKEY", "is not signed", "signatures were invalid", "BADSIG")


class Debian:
    """Debian's packages through apt and mmdebstrap, signatures checked against Debian's archive keyring."""

    name = "debian"

    def __init__(self, host_root: Path = Path("/")) -> None:
        self._host_root = host_root

    def read_repositories(self, config: ImageConfig, sources: Sources) -> tuple[RepositoryState, ...]:
        """Digest each archive's signed index, which changes with whatever it offers."""
        return tuple(
            RepositoryState(name, hashlib.sha256(_read_url(archive.in_release)).hexdigest())
            for name, archive in self._archives(config, sources).items()
        )

    def install(self, config: ImageConfig, sources: Sources, root: Path, report: Report) -> None:
        """Install the kickstart's packages with mmdebstrap; the initramfs is left to the pipeline."""
        archives = sources.cache / "apt/archives"
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        argv = mmdebstrap_argv(config, self._source_lines(config, sources), root, archives)
        with _alone(sources.cache / "apt", report):
            result = run(unsynced_argv(argv), env={"INITRD": "No"}, check=False, on_line=report)
        if result.status != 0:
            logger.debug("%s", result.stderr)
            raise _translate_failure(result)
        # The stage may outlive a power failure that comes right after it.
        run(["sync", "--file-system", root])

    def list_packages(self, root: Path) -> list[Package]:
        """Read dpkg's database; licences come from each package's copyright file."""
        query = f"{PACKAGE_QUERY}\t${{db:Status-Status}}\n"
        admin = root / "var/lib/dpkg"
        listing = run(["dpkg-query", f"--admindir={admin}", "-W", "-f", query]).stdout
        rows = [line.split("\t") for line in listing.splitlines()]
        return [
            Package(
                name, version, architecture, _licence(root, name), source, _files(admin, name, architecture)
            )
            for name, version, architecture, source, status in rows
            if status == "installed"
        ]

    def fetch_boot_files(
        self, config: ImageConfig, sources: Sources, root: Path, destination: Path
    ) -> BootFiles:
        """Download shim and GRUB from the same archives with apt, and unpack them without installing."""
        downloads = destination / "downloads"
        downloads.mkdir(parents=True)
        with _alone(sources.cache / "apt", logger.info):
            options = self._apt_options(config, sources)
            run(["apt-get", *options, "update", "-qq"])
            run(["apt-get", *options, "download", "-qq", *BOOT_PACKAGES], cwd=downloads)
        packages = []
        for archive in sorted(downloads.glob("*.deb")):
            run(["dpkg-deb", "--extract", archive, destination])
            packages.append(_describe_archive(archive, destination))
            archive.unlink()
        downloads.rmdir()
        signed = destination / "usr/lib/grub/x86_64-efi-signed"
        return BootFiles(
            shim=destination / "usr/lib/shim/shimx64.efi.signed",
            mok_manager=destination / "usr/lib/shim/mmx64.efi.signed",
            grub_removable=signed / "gcdx64.efi.signed",
            grub_disk=signed / "grubx64.efi.signed",
            grub_network=signed / "grubnetx64.efi.signed",
            grub_bios=destination / "usr/lib/grub/i386-pc",
            vendor="debian",
            packages=tuple(packages),
        )

    def _archives(self, config: ImageConfig, sources: Sources) -> dict[str, Archive]:
        mirror = sources.mirror or (config.url.baseurl if config.url else "")
        archives = {
            archive.suite: archive for archive in find_archives(config.suite, mirror, self._host_root)
        }
        extra = {
            repository.name: Archive(repository.baseurl, config.suite) for repository in config.repositories
        }
        return {**archives, **extra}

    def _source_lines(self, config: ImageConfig, sources: Sources) -> list[str]:
        keyrings = [Path(key) for key in config.gpg_keys] or [KEYRING]
        for keyring in keyrings:
            if not keyring.exists():
                raise VirtnodeError(
                    Code.UNAVAILABLE, f"{keyring} is not there", "install the package debian-archive-keyring"
                )
        return [archive.source_line(keyrings) for archive in self._archives(config, sources).values()]

    def _apt_options(self, config: ImageConfig, sources: Sources) -> list[str]:
        home = sources.cache / "apt" / config.suite
        for directory in ("lists/partial", "archives/partial", "sources.d", "trusted.d"):
            (home / directory).mkdir(parents=True, exist_ok=True)
        (home / "sources.list").write_text("\n".join(self._source_lines(config, sources)) + "\n")
        (home / "status").touch()
        settings = {
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            # Else an index that cannot be had, or has a wrong signature, is a warning, and the old one stays.
            "APT::Update::Error-Mode": "any",
            "Dir::State": str(home),
            "Dir::State::Lists": str(home / "lists"),
            "Dir::State::status": str(home / "status"),
            "Dir::Cache": str(home),
            "Dir::Etc::SourceList": str(home / "sources.list"),
            "Dir::Etc::SourceParts": str(home / "sources.d"),
            "Dir::Etc::TrustedParts": str(home / "trusted.d"),
        }
        return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def mmdebstrap_argv(
    config: ImageConfig, source_lines: Sequence[str], root: Path, archives: Path
) -> list[str]:
    """Build mmdebstrap's command line; downloaded packages are kept in `archives`, outside the root."""
    packages = config.packages
    # As root mmdebstrap mounts on the host itself, and may fail without unmounting: a namespace ends with it.
    argv = [
        "unshare",
        "--mount",
        "--",
        "mmdebstrap",
        "--mode=root",
        "--variant=essential",
        "--format=directory",
        "--architectures=amd64",
    ]
    argv += [f"--aptopt=APT::Install-Recommends {'false' if packages.exclude_weakdeps else 'true'}"]
    inside = _inside("/var/cache/apt/archives")
    argv.append(f"--setup-hook=mkdir -p {inside} && mount --bind {shlex.quote(str(archives))} {inside}")
    argv.append(f"--extract-hook={_extract_hook(_path_filters(packages))}")
    argv.append(f"--aptopt=DPkg::Path {ASIDE_INSIDE}:{PATH}")
    argv.append(f"--customize-hook={_customize_hook()} && umount {inside}")
    argv += [
        "--aptopt=APT::Keep-Downloaded-Packages true",
        "--skip=download/empty",
        "--skip=essential/unlink",
    ]
    wanted = [*packages.install, *(f"{name}-" for name in packages.exclude)]
    argv.append(f"--include={','.join(wanted)}")
    return [*argv, config.suite, str(root), *source_lines]


def _extract_hook(filters: Sequence[str]) -> str:
    """Write the shell that gives the root's dpkg its filters, and what stands aside of the path.

    Mmdebstrap would filter what it extracts file by file, in Python: several seconds. dpkg unpacks these
    packages once more, so what falls under a filter can go here, and what is kept of it comes back.
    """
    excluded = [word.removeprefix("path-exclude=") for word in filters if word.startswith("path-exclude=")]
    commands = [f"cp --recursive {shlex.quote(str(ASIDE))} {_inside(ASIDE_INSIDE)}"]
    if filters:
        commands.append(f"rm -rf {' '.join(map(_inside, excluded))}")
        commands.append(f"printf '%s\\n' {shlex.join(filters)} >{_inside(FILTERS)}")
    return " && ".join(commands)


def _customize_hook() -> str:
    """Write the shell that waits for what runs beside the installer, and takes away what stood aside."""
    indexed = _inside(f"{ASIDE_INSIDE}/depmod")
    waiting = f"until [ -s {indexed}.status ]; do sleep 0.1; done; read -r status <{indexed}.status"
    succeeded = f'{{ [ ! -e {indexed}.begun ] || {{ {waiting}; [ "$status" = 0 ]; }}; }}'
    return f"{succeeded} && rm -r {_inside(ASIDE_INSIDE)}"


def _inside(path: str) -> str:
    """Name a path of the root for a hook's shell."""
    return f'"$1"{path}'


def _path_filters(packages: Packages) -> list[str]:
    """List dpkg's options that leave out documentation and translations; licences stay."""
    filters: list[str] = []
    if packages.exclude_docs:
        filters += [f"path-exclude={pattern}" for pattern in DOCUMENTATION]
        filters.append(f"path-include={COPYRIGHT}")
    if packages.languages is not None:
        filters.append("path-exclude=/usr/share/locale/*/LC_MESSAGES/*")
        filters += [f"path-include=/usr/share/locale/{name}/*" for name in packages.languages if name]
    return filters


@contextlib.contextmanager
def _alone(folder: Path, report: Report) -> Iterator[None]:
    """Let one build at a time use apt's folders; the next one waits, and says so."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "virtnode.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting for another build that downloads packages")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_url(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=SEARCH_TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise VirtnodeError(Code.UNAVAILABLE, f"{url} cannot be read: {reason}", MIRROR_HINT) from error


def _translate_failure(result: Result) -> VirtnodeError:
    text = result.stderr
    names = sorted({first or second for first, second in MISSING_PACKAGE.findall(text)})
    if names:
        return VirtnodeError(
            Code.INVALID,
            f"no repository has the package {', '.join(names)}",
            "look for a misspelling in %packages",
        )
    if any(word in text for word in BAD_SIGNATURE):
        return VirtnodeError(
            Code.DENIED,
            "a repository is not signed by a key of the keyring",
            "update debian-archive-keyring, or name the right key with gpgkey in %addon virtnode_image",
        )
    errors = [line for line in text.splitlines() if line.startswith(("E: ", "dpkg: error"))]
    said = "; ".join(errors[:2] or text.strip().splitlines()[-1:]) or "it said nothing"
    if any(words in text for words in DISK_FULL):
        return disk_full_error(f"mmdebstrap: {said}")
    hint = "virtnode-image --verbose build shows its whole output"
    return VirtnodeError(Code.FAILED, f"mmdebstrap failed: {said}", hint)


def _files(admin: Path, name: str, architecture: str) -> tuple[str, ...]:
    for listing in (admin / f"info/{name}.list", admin / f"info/{name}:{architecture}.list"):
        if listing.exists():
            return tuple(line for line in listing.read_text().splitlines() if line != "/.")
    return ()


def _licence(root: Path, name: str) -> str:
    path = root / "usr/share/doc" / name / "copyright"
    try:
        return licence_of_copyright(path.read_text(errors="replace"))
    except OSError:
        return "NOASSERTION"


def _describe_archive(archive: Path, extracted: Path) -> Package:
    shown = run(["dpkg-deb", "--show", f"--showformat={PACKAGE_QUERY}", archive]).stdout
    name, version, architecture, source = shown.split("\t")
    return Package(name, version, architecture, _licence(extracted, name), source, ())
