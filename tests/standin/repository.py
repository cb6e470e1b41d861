"""The stand-in: Debian packages as a signed RPM repository, for where Fedora's cannot be reached.

It proves repositories, solving, signatures, the rpm database, trimming by package and booting through the
RPM path. It does not prove Fedora's scriptlets, SELinux labels, signed boot chain, names or sizes.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nodelib.run import run
from tests.image.bases.rpms import index_repository, make_signing_key, sign_packages
from tests.standin.debs import Deb, download_debs, read_deb
from tests.standin.relations import convert_relations, split_version
from tests.standin.unpack import Tree, unpack_deb

LABEL = "RPM stand-in (Debian content)"
CACHE = Path("/var/cache/virtnode/standin")
KEPT = 2
"""How many finished repositories stay in the cache: a whole node's, and the small one of quicker tests."""
CONFIGURE = "standin-configure"
"""The package whose %posttrans configures all others; each of them requires it."""
SCRIPT = Path(__file__).with_name("configure.sh")
BOOT_PACKAGES = ("shim-signed", "shim-helpers-amd64-signed", "grub-efi-amd64-signed", "grub-pc-bin")
MACROS = {
    "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    # Fast to write: a repository is made to be installed from once or twice.
    "_binary_payload": "w1.zstdio",
    "_binaries_in_noarch_packages_terminate_build": "0",
    "_unpackaged_files_terminate_build": "0",
    "_build_id_links": "none",
    "__os_install_post": "%{nil}",
    "debug_package": "%{nil}",
    "_smp_build_ncpus": "2",
}


@dataclass(frozen=True)
class Standin:
    """A finished repository and the public half of the throw-away key that signed it."""

    repository: Path
    key: Path


def make_standin(packages: Sequence[str], *, cache: Path = CACHE, mirror: str = "") -> Standin:
    """Make, or find in the cache, a repository of Debian packages, all that they need, and boot loaders."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "making.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        debs = download_debs(cache, packages, alone=BOOT_PACKAGES, mirror=mirror)
        finished = cache / f"repository-{_identify(debs)}"
        if not finished.exists():
            _make_repository(debs, finished)
        os.utime(finished)
        prune_repositories(cache)
    return Standin(repository=finished / "repository", key=finished / "RPM-GPG-KEY-standin")


def prune_repositories(cache: Path) -> None:
    """Remove what was not used lately, and what somebody who was killed left half made."""
    ages = {path: path.stat().st_mtime for path in cache.glob("repository-*")}
    newest_first = sorted(ages, key=lambda path: ages[path], reverse=True)
    for path in [*newest_first[KEPT:], *cache.glob("making-*")]:
        shutil.rmtree(path)


def _make_repository(debs: Sequence[Path], finished: Path) -> None:
    with tempfile.TemporaryDirectory(dir=finished.parent, prefix="making-") as name:
        work = Path(name)
        making = work / "finished"
        making.mkdir()
        convert_debs([read_deb(path) for path in debs], work, making / "repository")
        rpms = sorted((making / "repository").glob("*.rpm"))
        with make_signing_key(work, "standin") as key:
            sign_packages(rpms, key)
            shutil.copy(key.public, making)
        index_repository(making / "repository")
        making.rename(finished)


def convert_debs(debs: Sequence[Deb], work: Path, repository: Path) -> None:
    """Turn packages into unsigned RPMs, all in one run of rpmbuild."""
    tree = Tree(work / "tree")
    tree.root.mkdir()
    (work / "control").mkdir()
    lists = work / "lists"
    lists.mkdir()
    # Whose directory it is decides its mode: the base system's, first.
    for deb in sorted(debs, key=lambda deb: (deb.name != "base-files", deb.name)):
        (lists / deb.name).write_text("\n".join(unpack_deb(deb, tree)) + "\n")
    spec = work / "standin.spec"
    spec.write_text(write_spec(debs, lists))
    macros = {**MACROS, "_topdir": str(work / "rpmbuild"), "_rpmdir": str(repository)}
    defines = [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
    build = ["rpmbuild", "-bb", "--quiet", "--noclean", f"--buildroot={tree.root}"]
    run([*build, *defines, spec], env={"HOME": str(work)})


def write_spec(debs: Sequence[Deb], lists: Path) -> str:
    """Render the one spec file: a package for each Debian package, and the one that configures them."""
    essential = [f"Requires: {deb.name}" for deb in debs if deb.is_essential]
    head = [
        f"Name: {CONFIGURE}",
        "Version: 1",
        "Release: 1",
        f"Summary: Configures the packages of the {LABEL}",
        "License: GPL-2.0-or-later",
        "BuildArch: x86_64",
        "AutoReqProv: no",
        *essential,
        "%description",
        "Runs dpkg's part of the installation once.",
        "%posttrans -p /usr/bin/sh",
        SCRIPT.read_text().replace("%", "%%"),
        "%files",
        "",
    ]
    return "\n".join(head) + "".join(_subpackage(deb, lists / deb.name) for deb in debs)


def _subpackage(deb: Deb, files: Path) -> str:
    epoch, version, release = split_version(deb.version)
    requires = [deb.fields.get(name, "") for name in ("Pre-Depends", "Depends")]
    capabilities = [each for field in requires for each in convert_relations(field)]
    lines = [
        f"%package -n {deb.name}",
        f"Version: {version}",
        f"Release: {release or '0'}",
        f"Epoch: {epoch or '0'}",
        f"Summary: {deb.fields['Description'].splitlines()[0].replace('%', '%%')}",
        "License: LicenseRef-Debian",
        "AutoReqProv: no",
        f"Requires: {CONFIGURE}",
        *(["BuildArch: noarch"] if deb.fields["Architecture"] == "all" else []),
        *(f"Requires: {capability}" for capability in capabilities),
        *(f"Provides: {each}" for each in convert_relations(deb.fields.get("Provides", ""))),
        f"%description -n {deb.name}",
        f"{LABEL}: {deb.name} {deb.version}",
        f"%files -n {deb.name} -f {files}",
        "",
    ]
    return "\n".join(lines)


def _identify(debs: Sequence[Path]) -> str:
    """Name a repository by what goes into it: the packages, and the code that converts them."""
    code = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("[!t]*.*")) if path.is_file()]
    names = "\n".join(sorted(path.name for path in debs)).encode()
    return hashlib.sha256(b"".join([names, *code])).hexdigest()[:16]
