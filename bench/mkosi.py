"""mkosi, to compare with: configured to make the root tree of the same packages from the same archives."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases.apt import Archive, find_archives
from image.bases.debian import KEYRING
from image.config import ImageConfig
from nodelib.run import run

CONFIGURATION = """\
[Distribution]
Distribution=debian
Release={suite}
Architecture=x86-64

[Output]
Format=directory
Output=root

[Content]
Bootable=no
WithDocs=no
WithRecommends={recommends}
Packages={packages}

[Build]
PackageCacheDirectory={work}/cache
CacheOnly=never
Incremental=no
Environment=INITRD=No
"""
"""No boot loader, no documentation; the indexes are read anew each time, as ours are.

Of an image that shall not be bootable mkosi lets the kernel's package make an initramfs, unless told so.
"""

SOURCE = """\
Types: deb
URIs: {uri}
Suites: {suite}
Components: {components}
Signed-By: {keyring}
"""
SETTINGS = "settings"
"""The folder that mkosi is started in; it must hold none of the folders that mkosi writes to."""
WORKSPACE = "workspace"
SOURCES = "mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources"
"""Where mkosi takes apt's sources from, in place of those it would write."""


@dataclass(frozen=True)
class Mkosi:
    """An mkosi program, and the folder with its configuration, caches and output."""

    program: Path
    work: Path
    output: Path

    @property
    def root(self) -> Path:
        """Where the finished tree lies."""
        return self.output / "root"

    def into(self, output: Path) -> "Mkosi":
        """Write to another folder, with the same configuration and downloaded packages."""
        return dataclasses.replace(self, output=output)

    @property
    def has_packages(self) -> bool:
        """Tell whether packages were downloaded before."""
        return any((self.work / "cache").rglob("*.deb"))

    def version(self) -> str:
        """Ask the program what it is."""
        return run([self.program, "--version"], env=ENVIRONMENT).stdout.strip()

    def configure(self, config: ImageConfig) -> None:
        """Write the configuration that asks for what the kickstart asks for."""
        for name in ("cache", SETTINGS):
            (self.work / name).mkdir(parents=True, exist_ok=True)
        (self.work / SETTINGS / "mkosi.conf").write_text(configuration(config, self.work))
        sources = self.work / SETTINGS / SOURCES
        sources.parent.mkdir(parents=True, exist_ok=True)
        sources.write_text(source_stanzas(find_archives(config.suite, "")))

    def make_tree(self) -> None:
        """Build the tree."""
        (self.output / WORKSPACE).mkdir(parents=True)
        run(build_argv(self), env=ENVIRONMENT)


ENVIRONMENT = {"MKOSI_INTERPRETER": "/usr/bin/python3", "PYTHONPATH": None, "VIRTUAL_ENV": None}
"""mkosi's sandbox shows /usr and no virtual environment: it must run on the host's own Python."""


def find_program(path: Path) -> Path:
    """Find the program in a checkout, or take the path as the program."""
    found = path / "bin/mkosi" if path.is_dir() else path
    if not os.access(found, os.X_OK):
        raise FileNotFoundError(f"{found} is not a program; give mkosi, or a checkout of it")
    return found.absolute()


def build_argv(mkosi: Mkosi) -> list[str]:
    """Build mkosi's command line."""
    argv = [str(mkosi.program), "--directory", str(mkosi.work / SETTINGS)]
    argv += ["--output-directory", str(mkosi.output)]
    argv += ["--workspace-directory", str(mkosi.output / WORKSPACE)]
    return [*argv, "build"]


def configuration(config: ImageConfig, work: Path) -> str:
    """Write mkosi.conf."""
    packages = config.packages
    return CONFIGURATION.format(
        suite=config.suite,
        work=work,
        recommends="no" if packages.exclude_weakdeps else "yes",
        packages="\n    ".join(packages.install),
    )


def source_stanzas(archives: Sequence[Archive]) -> str:
    """Write apt's sources, one stanza each."""
    return "\n".join(
        SOURCE.format(
            uri=archive.uri, suite=archive.suite, components=" ".join(archive.components), keyring=KEYRING
        )
        for archive in archives
    )
