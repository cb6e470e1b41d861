"""Whether a link is there."""

from pathlib import Path

from nodelib.errors import Code, VirtnodeError
from nodelib.places import Place, at


def check_presence(root: Path, name: str) -> None:
    """Raise VirtnodeError (not-found) for a link that this machine does not have."""
    if "/" in name or name in ("", ".", "..") or not (root / "sys/class/net" / name).exists():
        raise absence(name)


def absence(name: str) -> VirtnodeError:
    """Make the error about a link that is not there."""
    return VirtnodeError(Code.NOT_FOUND, f"there is no link {name!r}", at(Place.LINKS))
