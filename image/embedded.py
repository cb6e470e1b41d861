"""What was embedded in a finished image, secrets hidden, and whether all the rest is as it was built."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image.answers import check_answer
from image.custom_places import Places, find_places_on
from image.medium import Kind, Medium, find_artefact, find_beside, open_medium
from image.sums import SUMS_NAME
from nodelib.errors import Code, VirtnodeError
from nodelib.secret_arguments import hide_secret_arguments

AS_BUILT, CHANGED, UNKNOWN = "as built", "CHANGED", "unknown"


@dataclass(frozen=True)
class Embedded:
    """What `customize` wrote; `rest` says how everything else compares with the original."""

    has_area: bool = False
    problem: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    signed: bool = False
    arguments: str = ""
    rest: str = UNKNOWN


def describe_embedded(medium: Medium, original: Path | None = None) -> Embedded:
    """Read an artefact's places; `original` is what it was made of, or the SHA256SUMS of that."""
    try:
        places = find_places_on(medium)
    except VirtnodeError as error:
        return Embedded(problem=error.message)
    arguments = hide_secret_arguments(places.read_arguments())
    rest = compare_rest(places, medium, original)
    try:
        area = places.read_area()
        shown = {} if area.is_blank else check_answer(area.payload.decode(), "embedded").shown
        return Embedded(True, "", shown, bool(area.signature), arguments, rest)
    except (VirtnodeError, UnicodeDecodeError) as error:
        return Embedded(True, str(error), {}, False, arguments, rest)


def embedded_lines(embedded: Embedded) -> list[str]:
    """Say key by key what is embedded."""
    lines = [f"embedded {key} = {value}" for key, value in _leaves(embedded.config, "")]
    return [*lines, f"added to every entry: {embedded.arguments}"] if embedded.arguments else lines


def _leaves(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value, ensure_ascii=False)


def compare_rest(places: Places, medium: Medium, original: Path | None) -> str:
    """Say whether everything but the places is what a build wrote."""
    if original is None:
        # The sums know a disk image as it is packed, and packing it again takes long.
        original = find_beside(medium.path, SUMS_NAME) if medium.kind is not Kind.DISK else None
    if original is None:
        return UNKNOWN
    found = places.digests_as_built()
    if original.is_file() and original.name.startswith(SUMS_NAME):
        known = _read_sums(original)
        same = [known.get(f"pxe/{name}") == digest for name, digest in found.items()]
        is_same = all(same) if medium.kind is Kind.PXE else set(found.values()) <= set(known.values())
    else:
        with open_medium(find_artefact(original)) as other:
            wanted = find_places_on(other).digests_as_built()
            is_same = wanted == found if medium.kind is Kind.PXE else [*wanted.values()] == [*found.values()]
    return AS_BUILT if is_same else CHANGED


def _read_sums(path: Path) -> dict[str, str]:
    pairs = [line.split(maxsplit=1) for line in path.read_text().splitlines()]
    if any(len(pair) != 2 for pair in pairs):
        raise VirtnodeError(
            Code.INVALID, f"{path} holds no sums", "give SHA256SUMS, or the original artefact"
        )
    return {name.strip(): digest for digest, name in pairs}
