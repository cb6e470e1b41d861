"""Debian packages for the stand-in: chosen and downloaded by apt, read with dpkg-deb."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from image.bases.apt import find_archives
from nodelib.run import run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CONTROL_FIELD = re.compile(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.M)


@dataclass(frozen=True)
class Deb:
    """A Debian package: its control stanza, field by field and as it stands."""

    path: Path
    control: str
    fields: dict[str, str]

    @property
    def name(self) -> str:
        """The package's name."""
        return self.fields["Package"]

    @property
    def version(self) -> str:
        """The version as Debian writes it."""
        return self.fields["Version"]

    @property
    def is_essential(self) -> bool:
        """Whether every package may rely on it without saying so."""
        return self.fields.get("Essential") == "yes"

    @property
    def info_name(self) -> str:
        """What dpkg calls the package's files below info/."""
        if self.fields.get("Multi-Arch") == "same":
            return f"{self.name}:{self.fields['Architecture']}"
        return self.name


def download_debs(
    cache: Path,
    packages: Sequence[str],
    *,
    alone: Sequence[str] = (),
    suite: str = "trixie",
    mirror: str = "",
) -> list[Path]:
    """Download packages with all that they need and everything essential; those `alone` without anything.

    The mirrors come from the host's own apt sources unless `mirror` names one.
    """
    options = _apt_options(cache, suite, mirror)
    archives = cache / "archives"
    run(["apt-get", *options, "update", "-qq"])
    install = ["install", "--yes", "--no-install-recommends", "-qq", "?essential", *packages]
    listing = run(["apt-get", *options, "-o", f"Dir::Cache::Archives={cache}/none", "--print-uris", *install])
    run(["apt-get", *options, "-o", f"Dir::Cache::Archives={archives}", "--download-only", *install])
    closure = [archives / line.split()[1] for line in listing.stdout.splitlines()]
    if not alone:
        return closure
    printed = run(["apt-get", *options, "download", "--print-uris", "-qq", *alone]).stdout
    run(["apt-get", *options, "download", "-qq", *alone], cwd=archives)
    return [*closure, *(archives / line.split()[1] for line in printed.splitlines())]


def read_deb(path: Path) -> Deb:
    """Read a package's control stanza."""
    control = run(["dpkg-deb", "--field", path]).stdout
    return Deb(path, control, dict(CONTROL_FIELD.findall(control)))


def _apt_options(cache: Path, suite: str, mirror: str) -> list[str]:
    for directory in ("lists/partial", "archives/partial", "none/partial", "empty"):
        (cache / directory).mkdir(parents=True, exist_ok=True)
    archives = find_archives(suite, mirror)
    lines = [f"deb [signed-by={KEYRING}] {each.uri} {each.suite} main" for each in archives]
    (cache / "sources.list").write_text("\n".join(lines) + "\n")
    (cache / "status").write_text("")
    settings = {
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Dir::State": cache,
        "Dir::State::Lists": cache / "lists",
        "Dir::State::status": cache / "status",
        "Dir::Etc::SourceList": cache / "sources.list",
        "Dir::Etc::SourceParts": cache / "empty",
        "Dir::Etc::TrustedParts": cache / "empty",
        "Dir::Etc::PreferencesParts": cache / "empty",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
