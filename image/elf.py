"""What each ELF file of a root tree needs, looked up the way the tree's own ld.so would."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from image.rootpath import RootPaths

_TRIPLETS = {"EM_X86_64": "x86_64-linux-gnu", "EM_AARCH64": "aarch64-linux-gnu"}


@dataclass(frozen=True)
class ElfFile:
    """The dynamic side of one ELF file; `kind` is its class and machine."""

    path: str
    kind: tuple[int, str]
    interpreter: str
    needed: tuple[str, ...]
    rpath: tuple[str, ...]
    runpath: tuple[str, ...]


def read_elf(path: str, host_path: str) -> ElfFile | None:
    """Read what the file at `host_path` needs; None for what only begins like an ELF file."""
    values: dict[str, list[str]] = {"DT_NEEDED": [], "DT_RPATH": [], "DT_RUNPATH": []}
    interpreter = ""
    try:
        with Path(host_path).open("rb") as stream:
            elf = ELFFile(stream)
            for segment in elf.iter_segments():
                if isinstance(segment, InterpSegment):
                    interpreter = segment.get_interp_name()
                elif isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        if tag.entry.d_tag in values:
                            attribute = tag.entry.d_tag.removeprefix("DT_").lower()
                            values[tag.entry.d_tag].append(getattr(tag, attribute))
            kind = (elf.elfclass, str(elf["e_machine"]))
    except (ELFError, UnicodeDecodeError):
        return None
    return ElfFile(
        path,
        kind,
        interpreter,
        tuple(values["DT_NEEDED"]),
        _split_path(values["DT_RPATH"]),
        _split_path(values["DT_RUNPATH"]),
    )


def find_unresolved(files: Mapping[str, ElfFile], paths: RootPaths) -> Iterator[tuple[str, str]]:
    """Yield file and complaint for each interpreter or library that ld.so would not find.

    Files of another machine than most of the tree's are somebody's data, and left alone.
    """
    if not files:
        return
    native = Counter(elf.kind for elf in files.values()).most_common(1)[0][0]
    search = _Search(files, paths, native)
    for elf in files.values():
        if elf.kind != native:
            continue
        if elf.interpreter and not paths.exists(elf.interpreter):
            yield elf.path, f"its interpreter {elf.interpreter} is missing"
        for library in elf.needed:
            if not (search.finds(library, elf) or search.is_loaded_before(library, elf)):
                yield elf.path, f"needs the library {library}, which is missing"


class _Search:
    """The directories that ld.so looks into, and what it finds there."""

    def __init__(self, files: Mapping[str, ElfFile], paths: RootPaths, kind: tuple[int, str]) -> None:
        self._files = files
        self._paths = paths
        self._kind = kind
        triplet = _TRIPLETS.get(kind[1], "")
        defaults = [f"/usr/lib/{triplet}"] if triplet else []
        defaults += ["/usr/lib64", "/usr/lib"] if kind[0] == 64 else ["/usr/lib"]
        self._directories = [*_read_ld_so_conf(paths, "/etc/ld.so.conf"), *defaults, "/lib64", "/lib"]
        self._known: dict[str, bool] = {}

    def finds(self, library: str, elf: ElfFile) -> bool:
        if "/" in library:
            return self._is_library(library)
        origin = elf.path.rpartition("/")[0]
        # An object's RPATH counts only when it has no RUNPATH.
        own = [_expand(entry, origin) for entry in elf.runpath or elf.rpath]
        return any(self._is_library(f"{directory}/{library}") for directory in own) or self._in_defaults(
            library
        )

    def is_loaded_before(self, library: str, elf: ElfFile) -> bool:
        """Tell whether a file that loads `elf` loads the library too: ld.so then takes it by its name."""
        name = elf.path.rpartition("/")[2]
        return any(
            name in loader.needed and library in loader.needed and self.finds(library, loader)
            for loader in self._files.values()
        )

    def _in_defaults(self, library: str) -> bool:
        if library not in self._known:
            candidates = (f"{directory}/{library}" for directory in self._directories)
            self._known[library] = any(map(self._is_library, candidates))
        return self._known[library]

    def _is_library(self, path: str) -> bool:
        found = self._files.get(self._paths.resolve(path))
        return found is not None and found.kind == self._kind


def _split_path(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(entry for value in values for entry in value.split(":") if entry)


def _expand(entry: str, origin: str) -> str:
    return entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _read_ld_so_conf(paths: RootPaths, name: str) -> list[str]:
    directories: list[str] = []
    for path in paths.glob(name):
        host_path = Path(paths.host(paths.resolve(path)))
        if not host_path.is_file():
            continue
        for line in host_path.read_text(errors="replace").splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                for pattern in words[1:]:
                    nested = pattern if pattern.startswith("/") else f"{path.rpartition('/')[0]}/{pattern}"
                    directories += _read_ld_so_conf(paths, nested)
            else:
                directories += words
    return directories
