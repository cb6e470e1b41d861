"""The media by name: to add one, write its maker and name it here."""

from collections.abc import Callable
from pathlib import Path

from image.media import Payload
from image.media.disk import make_disk
from image.media.iso import make_iso
from image.media.pxe import make_pxe

Maker = Callable[[Payload, Path, Path], list[Path]]
"""Takes the payload, a workspace and the folder to write into; returns the artefacts."""

MEDIA_MAKERS: dict[str, Maker] = {"iso": make_iso, "pxe": make_pxe, "disk": make_disk}
