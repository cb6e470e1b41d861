"""SHA256SUMS: the digests of everything a build wrote, in the form that `sha256sum -c` reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

SUMS_NAME = "SHA256SUMS"


@dataclass(frozen=True)
class Artefact:
    """A file of the output folder: its path relative to the folder, its bytes, its digest in hexadecimal."""

    path: str
    bytes: int
    sha256: str


def measure_artefacts(out: Path) -> tuple[Artefact, ...]:
    """Digest every file below `out`, sorted by path, but the sums, their signatures, logs and dot files."""
    paths = sorted(
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_file() and not path.name.startswith((".", SUMS_NAME)) and path.suffix != ".log"
    )
    return tuple(Artefact(path, (out / path).stat().st_size, digest_of(out / path)) for path in paths)


def write_sums(out: Path) -> Path:
    """Write SHA256SUMS over all files of `out` and its subfolders, and return its path."""
    path = out / SUMS_NAME
    path.write_text("".join(f"{artefact.sha256}  {artefact.path}\n" for artefact in measure_artefacts(out)))
    return path


def keep_sums(finished: Path, out: Path) -> None:
    """Add to the sums of `finished` those of files that only the build before it left in `out`."""
    old, new = out / SUMS_NAME, finished / SUMS_NAME
    if not (old.is_file() and new.is_file()):
        return
    made = {child.name for child in finished.iterdir()}
    kept = [
        line
        for line in old.read_text().splitlines()
        if (path := line.partition("  ")[2]).partition("/")[0] not in made and (out / path).is_file()
    ]
    lines = sorted([*new.read_text().splitlines(), *kept], key=lambda line: line.partition("  ")[2])
    new.write_text("".join(f"{line}\n" for line in lines))


def digest_of(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
