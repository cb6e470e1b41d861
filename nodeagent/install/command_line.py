"""The kernel arguments of an installed node: those of the medium, but for what was its own."""

import re
from collections.abc import Sequence

from nodelib.secret_arguments import hide_secret_arguments

ARGUMENT = re.compile(r'(?:"[^"]*"|[^\s"])+')
OF_THE_MEDIUM = (
    "BOOT_IMAGE",
    "initrd",
    "root",
    "rd.live.image",
    "rd.live.overlay.overlayfs",
    "rd.live.dir",
    "rd.live.squashimg",
    "rd.live.ram",
)
OF_THIS_BOOT = (
    "node.install",
    "node.survey",
    "node.stateless",
    "node.state",
    "systemd.unit",
    "systemd.setenv",
    "node.trial",
    "node.trial_seconds",
)
OF_ITS_SLOT = (*OF_THE_MEDIUM, "node.state", "node.install", "node.trial", "node.trial_seconds")
"""What of an installed node's arguments is written anew."""
IN_THE_STATE = ("node.engine", "node.ca", "node.token")
"""What the state keeps, where nobody reads a token off the boot partition."""
OF_THE_NETWORK = ("ip=dhcp", "rd.neednet=1")
"""What the PXE folder adds for itself."""
MARKS = re.compile(r"\$\{(?:mac|uuid|serial)\}")
"""What the node itself puts into the URL of `node.config`; a menu passes it on as it stands."""
LIVE = ("rd.live.image", "rd.live.overlay.overlayfs=1")
SIDE_BY_SIDE = ("console",)
"""Of these all are used: what a medium says is added, and takes the place of nothing."""


def installed_arguments(
    cmdline: str,
    slot: str,
    state: str,
    *,
    from_network: bool,
    kept: Sequence[str] = (),
    named_root: str = "",
) -> tuple[str, ...]:
    """Return the arguments for a slot and a state in the partitions with these identifiers.

    `kept` are those of a node that is installed again, `named_root` how its root is called if not so.
    """
    root = named_root or f"root=live:PARTUUID={slot.lower()}"
    own = (root, *LIVE, f"node.state={state.lower()}")
    return (*own, *merged_arguments(kept, medium_arguments(cmdline, from_network=from_network)))


def medium_arguments(cmdline: str, *, from_network: bool) -> tuple[str, ...]:
    """Return what of a medium's command line goes along to the disk."""
    dropped = {*OF_THE_MEDIUM, *OF_THIS_BOOT, *IN_THE_STATE}
    kept = [
        word
        for word in ARGUMENT.findall(cmdline)
        if _name(word) not in dropped
        and not (from_network and word in OF_THE_NETWORK)
        # In a menu's file these end a word, or begin something else.
        and not set(MARKS.sub("", word)) & set("$\\`;|{}<>")
    ]
    return tuple(dict.fromkeys(kept))


def merged_arguments(kept: Sequence[str], medium: Sequence[str]) -> tuple[str, ...]:
    """Lay a medium's arguments over those of a node that is kept: for the same name the medium's count."""
    stays = dict.fromkeys(word for word in kept if _name(word) not in OF_ITS_SLOT)
    new = {_name(word) for word in medium if word not in stays}
    replaced = new - set(SIDE_BY_SIDE)
    own = [word for word in stays if _name(word) not in replaced]
    return tuple(dict.fromkeys((*own, *(word for word in medium if _name(word) in new))))


def shown_arguments(kept: Sequence[str], medium: Sequence[str]) -> tuple[str, ...]:
    """Return both as a plan shows them: whoever reads it learns no secret."""
    words = merged_arguments(kept, medium)
    return tuple(map(hide_secret_arguments, words))


def _name(word: str) -> str:
    return word.partition("=")[0]
