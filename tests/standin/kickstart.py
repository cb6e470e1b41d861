"""A kickstart for the stand-in: base fedora, the packages of the Debian node."""

import re
from pathlib import Path

from tests.standin.repository import Standin

KICKSTARTS = Path(__file__).parents[2] / "kickstarts"
NODE = KICKSTARTS / "node-debian.ks"


def read_package_names(kickstart: Path = NODE) -> list[str]:
    """List what a kickstart's %packages section installs."""
    lines = (line.partition("#")[0].strip() for line in _packages_section(kickstart).splitlines()[1:-1])
    return [line for line in lines if line and not line.startswith(("-", "@"))]


def make_standin_kickstart(path: Path, standin: Standin, *, extra: str = "") -> Path:
    """Write a kickstart of the Debian node that goes through dnf and rpm; `extra` precedes %packages."""
    path.write_text(
        f"""# Made of Debian's packages converted to RPM; for tests only.
url --url={standin.repository.as_uri()}

%addon virtnode_image
base fedora
gpgkey {standin.key}
trim {KICKSTARTS}/trim/debian.tmpl
# Debian's rules know nothing of rpm's database and of dnf.
drop-path /usr/lib/sysimage /etc/dnf
%end

%include {KICKSTARTS}/common.ks

{extra}
{_packages_section(NODE)}
"""
    )
    return path


def _packages_section(kickstart: Path) -> str:
    match = re.search(r"^%packages.*?^%end", kickstart.read_text(), re.M | re.S)
    if match is None:
        raise ValueError(f"{kickstart} has no %packages section")
    return match[0]
