"""How dnf is called: found, configured in a private directory, and run where none of its mounts survive."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases import Report
from image.config import Packages, Repository
from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, run

RPM_DATABASE = "/usr/lib/sysimage/rpm"
"""Where Fedora keeps its rpm database; a Debian host's own rpm would look elsewhere."""

SCRIPTLET_ENVIRONMENT = {
    # The image gets one initramfs, made later for every medium; the kernel's own scriptlets make none.
    "KERNEL_INSTALL_BYPASS": "1",
    "SYSTEMD_OFFLINE": "1",
    # dnf 4 is a Python program: without this its progress arrives in one piece, at the end.
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Dnf:
    """The dnf of this host: the program and the 4 or 5 of its version."""

    program: str
    major: int


@dataclass(frozen=True)
class DnfSetup:
    """A dnf with what it reads and writes outside the root: a directory of its own, and a cache."""

    dnf: Dnf
    directory: Path
    cache: Path
    releasever: str = ""
    repositories: tuple[Repository, ...] = ()
    keys: tuple[Path, ...] = ()

    @property
    def home(self) -> Path:
        """The HOME where rpm finds its macros."""
        return self.directory / "home"


def find_dnf() -> Dnf:
    """Find dnf 5, or else dnf 4, on PATH."""
    for name in ("dnf5", "dnf"):
        if shutil.which(name):
            return Dnf(program=name, major=parse_major_version(run([name, "--version"]).stdout))
    raise VirtnodeError(Code.UNAVAILABLE, "dnf is not installed", "install the packages dnf and rpm")


def parse_major_version(text: str) -> int:
    """Read 4 or 5 from what `dnf --version` prints first: `4.14.0`, `dnf5 version 5.2.10.0`."""
    match = re.search(r"(?:^|version )(\d+)\.", text)
    if match is None or int(match[1]) not in (4, 5):
        said = text.strip().splitlines()[0] if text.strip() else "nothing"
        raise VirtnodeError(Code.UNAVAILABLE, f"this dnf is neither version 4 nor 5: it says {said}")
    return int(match[1])


@contextlib.contextmanager
def prepare_dnf(
    dnf: Dnf,
    packages: Packages,
    repositories: Sequence[Repository],
    keys: Sequence[Path],
    *,
    cache: Path,
    releasever: str,
) -> Iterator[DnfSetup]:
    """Write dnf's and rpm's configuration into a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="virtnode-dnf-") as name:
        setup = DnfSetup(
            dnf=dnf,
            directory=Path(name).resolve(),
            cache=cache.resolve() / "dnf",
            releasever=releasever,
            repositories=tuple(repositories),
            keys=tuple(keys),
        )
        setup.cache.mkdir(parents=True, exist_ok=True)
        for directory in ("repos.d", "vars", "log", "state", "home"):
            (setup.directory / directory).mkdir()
        (setup.directory / "dnf.conf").write_text(main_section(packages))
        sections = [repository_section(repository, keys) for repository in repositories]
        (setup.directory / "repos.d/kickstart.repo").write_text("\n".join(sections))
        (setup.home / ".rpmmacros").write_text(rpm_macros(packages.languages))
        yield setup


def main_section(packages: Packages) -> str:
    """Render dnf.conf: signatures always checked, no repository ever skipped, nothing of the host's."""
    options = {
        "gpgcheck": "1",
        "localpkg_gpgcheck": "1",
        "skip_if_unavailable": "0",
        "best": "1",
        "assumeyes": "1",
        "keepcache": "1",
        "plugins": "0",
        "color": "never",
        "install_weak_deps": "0" if packages.exclude_weakdeps else "1",
        "tsflags": "nodocs" if packages.exclude_docs else "",
        "excludepkgs": " ".join(packages.exclude),
    }
    return _section("main", options)


def repository_section(repository: Repository, keys: Sequence[Path]) -> str:
    """Render one repository as dnf reads it."""
    options = {
        "name": repository_id(repository),
        "baseurl": repository.baseurl,
        "mirrorlist": repository.mirrorlist,
        "metalink": repository.metalink,
        "gpgkey": " ".join(key.as_uri() for key in keys),
        "includepkgs": " ".join(repository.includepkgs),
        "excludepkgs": " ".join(repository.excludepkgs),
        "cost": "" if repository.cost is None else str(repository.cost),
        "proxy": repository.proxy,
        "sslverify": "" if repository.verify_tls else "0",
    }
    return _section(repository_id(repository), options)


def repository_id(repository: Repository) -> str:
    """Give a repository a name that dnf accepts; the `url` command's has none of its own."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "-", repository.name) or "url"


def rpm_macros(languages: Sequence[str] | None) -> str:
    """Render .rpmmacros: Fedora's database, signatures enforced by rpm as well, and the languages to keep."""
    macros = [f"%_dbpath {RPM_DATABASE}", "%_db_backend sqlite", "%_pkgverify_level all"]
    if languages is not None:
        macros.append(f"%_install_langs {':'.join(languages) or 'none'}")
    return "\n".join(macros) + "\n"


def dnf_argv(setup: DnfSetup, root: Path, words: Sequence[str]) -> list[str]:
    """Build a dnf command that works on `root` and reads no configuration of the host or of the root."""
    directory = setup.directory
    argv = [setup.dnf.program, f"--installroot={root}", f"--config={directory / 'dnf.conf'}"]
    paths = {"cachedir": setup.cache, "logdir": directory / "log", "persistdir": directory / "state"}
    if setup.dnf.major == 5:
        argv.append("--use-host-config")
        paths = {"cachedir": setup.cache, "system_cachedir": setup.cache, "logdir": directory / "log"}
    else:
        # dnf 4 puts the root in front of these three, whatever they are.
        paths = {option: Path(os.path.relpath(path, root)) for option, path in paths.items()}
    paths |= {"reposdir": directory / "repos.d", "varsdir": directory / "vars"}
    argv += [f"--setopt={option}={path}" for option, path in paths.items()]
    if setup.releasever:
        argv.append(f"--releasever={setup.releasever}")
    return [*argv, *words]


def install_words(packages: Packages) -> list[str]:
    """Build the part of the command line that says what to install."""
    groups = [f"@{group}" for group in packages.groups]
    if packages.environment:
        groups.insert(0, f"@^{packages.environment}")
    return ["--refresh", "install", *groups, *packages.install]


def sandbox_argv(root: Path, argv: Sequence[str]) -> list[str]:
    """Wrap a command so that `root` has /proc, /dev and /run for as long as it runs, and no longer.

    The command sees the whole host, starts in `root` (where dnf 4 resolves relative paths) and prints
    everything to standard error, in order.
    """
    command = ["bwrap", "--dev-bind", "/", "/", "--proc", "/proc"]
    command += ["--proc", f"{root}/proc", "--dev", f"{root}/dev", "--tmpfs", f"{root}/run"]
    command += ["--unshare-pid", "--die-with-parent", "--cap-add", "ALL"]
    command += ["--chdir", str(root), "--unsetenv", "TMPDIR"]
    return [*command, "--", "sh", "-c", 'exec "$@" >&2', "sh", *argv]


def run_dnf(setup: DnfSetup, root: Path, words: Sequence[str], report: Report) -> Result:
    """Run a dnf command that changes `root`; the caller judges the result's status and standard error."""
    for directory in ("proc", "dev", "run"):
        (root / directory).mkdir(exist_ok=True)
    env = {"HOME": str(setup.home), **SCRIPTLET_ENVIRONMENT}
    return run(
        sandbox_argv(root, dnf_argv(setup, root, words)),
        env=env,
        check=False,
        on_line=lambda line: report(" ".join(line.split())),
    )


def query_dnf(setup: DnfSetup, words: Sequence[str]) -> list[str]:
    """Ask about packages on offer, with an empty root of its own, and return the lines of the answer."""
    root = setup.directory / "empty"
    root.mkdir(exist_ok=True)
    argv = dnf_argv(setup, root, ["--quiet", "repoquery", *words])
    answer = run(argv, cwd=root, env={"HOME": str(setup.home)})
    return [line for line in answer.stdout.splitlines() if line]


def _section(name: str, options: dict[str, str]) -> str:
    lines = [f"{option}={value}" for option, value in options.items() if value]
    return "\n".join([f"[{name}]", *lines, ""])
