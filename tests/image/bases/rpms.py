"""Named fakes: tiny RPMs with Fedora's names, throw-away signing keys and repositories of both."""

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nodelib.run import run


@dataclass(frozen=True)
class FakePackage:
    """An RPM to be made: what it is called, what it needs, what it carries and what it runs."""

    name: str
    version: str = "1.0"
    release: str = "1.fc43"
    epoch: int | None = None
    licence: str = "MIT"
    requires: tuple[str, ...] = ()
    recommends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """Text by absolute path."""
    copies: Mapping[str, Path] = field(default_factory=dict)
    """A file of this host by absolute path."""
    directories: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    """Those of `files` that are documentation."""
    languages: Mapping[str, str] = field(default_factory=dict)
    """A language by the path of its translation, one of `files`."""
    scriptlets: Mapping[str, str] = field(default_factory=dict)
    """A shell script by its place: pre, post, posttrans."""


@dataclass(frozen=True)
class SigningKey:
    """A throw-away OpenPGP key: gpg's home and the public half as a file."""

    name: str
    home: Path
    public: Path


def shell_package() -> FakePackage:
    """Describe a package named bash that carries this host's /bin/sh and the libraries it loads."""
    libraries = re.findall(r"(/\S+)\s\(0x", run(["ldd", "/bin/sh"]).stdout)
    return FakePackage(
        "bash",
        licence="GPL-3.0-or-later",
        provides=("/bin/sh",),
        copies={path: Path(path).resolve() for path in ("/bin/sh", *libraries)},
    )


@contextlib.contextmanager
def make_signing_key(directory: Path, name: str = "packager") -> Iterator[SigningKey]:
    """Make a key without a passphrase, and end gpg's agent when the key is no longer needed."""
    home = directory / f"{name}.gnupg"
    home.mkdir(mode=0o700, parents=True)
    env = {"GNUPGHOME": str(home)}
    try:
        arguments = ["--pinentry-mode=loopback", "--passphrase=", "--quick-generate-key"]
        run(["gpg", "--batch", "--quiet", *arguments, name, "rsa2048", "sign", "never"], env=env)
        public = directory / f"RPM-GPG-KEY-{name}"
        public.write_text(run(["gpg", "--batch", "--armor", "--export", name], env=env).stdout)
        yield SigningKey(name=name, home=home, public=public)
    finally:
        run(["gpgconf", "--kill", "all"], env=env, check=False)


def write_spec(package: FakePackage) -> str:
    """Render the spec file that makes one package and nothing else."""
    lines = [
        f"Name: {package.name}",
        f"Version: {package.version}",
        f"Release: {package.release}",
        f"Summary: {package.name}, a stand-in made by a test",
        f"License: {package.licence}",
        "BuildArch: noarch",
        "%global debug_package %{nil}",
        "%global __os_install_post %{nil}",
        "%global _binaries_in_noarch_packages_terminate_build 0",
        "AutoReqProv: no",
    ]
    if package.epoch is not None:
        lines.append(f"Epoch: {package.epoch}")
    lines += [f"Requires: {capability}" for capability in package.requires]
    lines += [f"Recommends: {capability}" for capability in package.recommends]
    lines += [f"Provides: {capability}" for capability in package.provides]
    lines += ["%description", "Nothing but what the test needs."]
    for place, script in package.scriptlets.items():
        lines += [f"%{place}", script]
    return "\n".join([*lines, "%files", *_file_list(package), ""])


def build_package(package: FakePackage, directory: Path) -> Path:
    """Build one unsigned package below `directory` and return the RPM's path."""
    work = directory / "build" / package.name
    tree = work / "tree"
    for path in package.directories:
        (tree / path.lstrip("/")).mkdir(parents=True)
    for path, text in package.files.items():
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for path, source in package.copies.items():
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    tree.mkdir(parents=True, exist_ok=True)
    spec = work / f"{package.name}.spec"
    spec.write_text(write_spec(package))
    macros = {
        "_topdir": work,
        "_rpmdir": directory,
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    run(["rpmbuild", "-bb", "--quiet", "--buildroot", tree, *_defines(macros), spec], env={"HOME": str(work)})
    return directory / f"{package.name}-{package.version}-{package.release}.noarch.rpm"


def sign_packages(packages: Sequence[Path], key: SigningKey) -> None:
    """Sign RPM files in place."""
    macros = {"_gpg_name": key.name, "_gpg_path": key.home, "__gpg": shutil.which("gpg")}
    run(["rpmsign", "--addsign", *_defines(macros), *packages], env={"GNUPGHOME": str(key.home)})


def make_repository(directory: Path, packages: Sequence[FakePackage], key: SigningKey | None) -> Path:
    """Build, sign (unless `key` is None) and index packages; `directory` becomes the repository."""
    directory.mkdir(parents=True)
    built = [build_package(package, directory) for package in packages]
    if key is not None:
        sign_packages(built, key)
    shutil.rmtree(directory / "build")
    index_repository(directory)
    return directory


def index_repository(directory: Path) -> None:
    """Write `repodata` for the packages in a directory."""
    run(["createrepo_c", "--quiet", "--no-database", "--workers=1", directory])


def _file_list(package: FakePackage) -> list[str]:
    lines = [f"%dir {path}" for path in package.directories]
    lines += list(package.copies)
    for path in package.files:
        mark = "%doc " if path in package.docs else ""
        language = f"%lang({package.languages[path]}) " if path in package.languages else ""
        lines.append(f"{mark}{language}{path}")
    return lines


def _defines(macros: Mapping[str, object]) -> list[str]:
    return [word for name, value in macros.items() for word in ("--define", f"{name} {value}")]
