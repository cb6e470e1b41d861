"""The kernel arguments of an installed node: those of the medium, but for what was its own."""

import re

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
    "node.stateless",
    "node.state",
    "systemd.unit",
    "systemd.setenv",
    "node.trial",
    "node.trial_seconds",
)
IN_THE_STATE = ("node.engine", "node.ca", "node.token")
"""What the state keeps, where nobody reads a token off the boot partition."""
OF_THE_NETWORK = ("ip=dhcp", "rd.neednet=1")
"""What the PXE folder adds for itself."""
MARKS = re.compile(r"\$\{(?:mac|uuid|serial)\}")
"""What the node itself puts into the URL of `node.config`; a menu passes it on as it stands."""
LIVE = ("rd.live.image", "rd.live.overlay.overlayfs=1")


def installed_arguments(cmdline: str, slot: str, state: str, *, from_network: bool) -> tuple[str, ...]:
    """Return the arguments for a slot and a state in the partitions with these identifiers."""
    dropped = {*OF_THE_MEDIUM, *OF_THIS_BOOT, *IN_THE_STATE}
    kept = [
        word
        for word in ARGUMENT.findall(cmdline)
        if word.partition("=")[0] not in dropped
        and not (from_network and word in OF_THE_NETWORK)
        # In a menu's file these end a word, or begin something else.
        and not set(MARKS.sub("", word)) & set("$\\`;|{}<>")
    ]
    own = (f"root=live:PARTUUID={slot.lower()}", *LIVE, f"node.state={state.lower()}")
    return (*own, *dict.fromkeys(kept))
