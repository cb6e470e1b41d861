"""customize: write configuration and kernel arguments into a finished image, on a copy or in place."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from image.custom_arguments import check_room
from image.custom_places import Form, Places, find_form, find_places
from image.media.sparse import compress_sparse
from nodelib.config_area import ConfigArea
from nodelib.errors import Code, VirtnodeError
from nodelib.interruption import interruption_waits
from nodelib.run import run

PACKED = (Form.ZSTD, Form.QCOW2)
DISK_ENDINGS = {".raw": Form.RAW, ".raw.zst": Form.ZSTD, ".qcow2": Form.QCOW2}

Tell = Callable[[str], None]
"""Is told each step that may take a while, as it begins."""


@dataclass(frozen=True)
class Customisation:
    """What to write; None leaves what is there."""

    area: ConfigArea | None = None
    arguments: str | None = None


AS_BUILT = Customisation(ConfigArea(), "")


def customize_in_place(path: Path, wanted: Customisation) -> None:
    """Write into an ISO, a raw disk image or a PXE folder; whatever cannot be is found before."""
    form = find_form(path)
    if form in PACKED:
        raise VirtnodeError(
            Code.INVALID,
            f"{path} is packed, and cannot be changed where it lies",
            "give -o NAME.raw, or -o with the same ending to have it packed again",
        )
    _write(find_places(path, form), wanted)


def customize_copy(source: Path, output: Path, wanted: Customisation, tell: Tell) -> None:
    """Write into a copy, which appears whole or not at all; a disk image is of the form its name says."""
    form = find_form(source)
    target = _target_form(form, output)
    if output.exists() and (output.is_dir() or output.samefile(source)):
        raise VirtnodeError(Code.CONFLICT, f"{output} is there already", "choose another name, or --in-place")
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = output.with_name(f".{output.name}.new")
    packed = output.with_name(f".{output.name}.packed")
    try:
        _unpack(source, form, fresh, tell)
        places = find_places(fresh, Form.RAW if form in PACKED else form)
        _write(places, wanted)
        if target in PACKED:
            _pack(fresh, target, packed, tell)
            packed.replace(output)
        else:
            fresh.replace(output)
    finally:
        for left in (fresh, packed):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)


def _write(places: Places, wanted: Customisation) -> None:
    if wanted.arguments is not None:
        check_room(places.menu, wanted.arguments)
    with interruption_waits():
        if wanted.area is not None:
            places.write_area(wanted.area)
        if wanted.arguments is not None:
            places.write_arguments(wanted.arguments)


def _target_form(form: Form, output: Path) -> Form:
    if form in (Form.ISO, Form.PXE):
        return form
    for ending, target in DISK_ENDINGS.items():
        if output.name.endswith(ending):
            return target
    raise VirtnodeError(
        Code.INVALID,
        f"{output} does not say what form the disk image shall have",
        f"let it end in {', '.join(DISK_ENDINGS)}",
    )


def _unpack(source: Path, form: Form, fresh: Path, tell: Tell) -> None:
    argv: list[str | Path] = ["cp", "--recursive", "--reflink=auto", "--sparse=auto", source, fresh]
    if form is Form.ZSTD:
        tell(f"unpacking {source}")
        argv = ["zstd", "--quiet", "--force", "--decompress", "--sparse", source, "-o", fresh]
    elif form is Form.QCOW2:
        tell(f"unpacking {source}")
        argv = ["qemu-img", "convert", "-O", "raw", source, fresh]
    run(argv)


def _pack(raw: Path, target: Form, packed: Path, tell: Tell) -> None:
    tell(f"packing as {target}")
    if target is Form.ZSTD:
        compress_sparse(raw, packed)
    else:
        run(["qemu-img", "convert", "-m", "1", "-f", "raw", "-O", "qcow2", raw, packed])
