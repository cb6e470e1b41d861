"""The rpm database of an installed root."""

from pathlib import Path

from image.bases import Package
from image.bases.dnf import RPM_DATABASE
from nodelib.errors import Code, VirtnodeError
from nodelib.run import run

FIELDS = (
    "%{NAME}",
    "%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}",
    "%{ARCH}",
    "%|LICENSE?{%{LICENSE}}|",
    "%|SOURCERPM?{%{SOURCERPM}}|",
)
QUERY = r"package\t" + r"\t".join(FIELDS) + r"\n[file\t%{FILESTATES}\t%{FILENAMES}\n]"
IMPORTED_KEY = "gpg-pubkey"
"""rpm keeps trusted keys among the packages, under this name."""
INSTALLED = "0"
"""The state of a file that is there: not left out as documentation or a translation, not replaced."""


def list_rpms(root: Path) -> list[Package]:
    """Read every installed package with the files of it that were installed, by name."""
    if not (root / RPM_DATABASE.lstrip("/")).is_dir():
        raise VirtnodeError(Code.NOT_FOUND, f"{root} has no rpm database", "was it installed by base fedora?")
    answer = run(["rpm", f"--root={root}", f"--dbpath={RPM_DATABASE}", "-qa", "--queryformat", QUERY])
    return parse_packages(answer.stdout)


def parse_packages(text: str) -> list[Package]:
    """Read what QUERY makes rpm print."""
    found: list[tuple[list[str], list[str]]] = []
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        if kind == "package":
            found.append((rest.split("\t"), []))
        elif kind == "file":
            state, _, path = rest.partition("\t")
            if state == INSTALLED:
                found[-1][1].append(path)
    packages = [_package(fields, files) for fields, files in found if fields[0] != IMPORTED_KEY]
    return sorted(packages, key=lambda package: (package.name, package.version))


def _package(fields: list[str], files: list[str]) -> Package:
    name, version, architecture, licence, source = fields
    return Package(
        name=name,
        version=version,
        architecture=architecture,
        licence=licence or "NOASSERTION",
        source=_source_package(source) or f"{name} {version}",
        files=tuple(files),
    )


def _source_package(source_rpm: str) -> str:
    """Turn `grub2-2.12-32.fc43.src.rpm` into `grub2 2.12-32.fc43`."""
    name, separator, version = source_rpm.removesuffix(".rpm").removesuffix(".src").rpartition("-")
    name, separator, upstream = name.rpartition("-")
    return f"{name} {upstream}-{version}" if separator else ""
