"""The media by assembler and name: to add one, write its maker and name it here."""

from collections.abc import Callable
from pathlib import Path

from image.media import Payload
from image.media.disk import make_disk
from image.media.iso import make_iso
from image.media.lorax import make_iso_with_lorax, make_pxe_with_lorax
from image.media.pxe import make_pxe
from image.media.update import make_update

Maker = Callable[[Payload, Path, Path], list[Path]]
"""Takes the payload, a workspace and the folder to write into; returns the artefacts."""

MEDIA_MAKERS: dict[str, dict[str, Maker]] = {
    "virtnode": {"iso": make_iso, "pxe": make_pxe, "disk": make_disk, "update": make_update},
    # lorax makes disk images by installing into them, which is not what a finished root needs.
    "lorax": {
        "iso": make_iso_with_lorax,
        "pxe": make_pxe_with_lorax,
        "disk": make_disk,
        "update": make_update,
    },
}
"""By assembler, then by medium."""
