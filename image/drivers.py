"""Kernel modules by group: what a kickstart keeps stays, with what it depends on; the rest goes."""

import fnmatch
import os
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from image.chroot import run_in_root
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.run import run

MODULE_SUFFIX = re.compile(r"\.ko(\.(xz|zst|gz))?$")
DECOMPRESSORS = {".xz": ("xz", "--decompress"), ".zst": ("zstd", "--quiet", "--decompress", "--rm")}
BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class DriverGroup:
    """A named set of kernel modules: patterns below kernel/ without ending; `!` takes out again."""

    name: str
    reason: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class DriverReport:
    """What was kept: bytes of module files by group, and the bytes dropped."""

    kept: Mapping[str, int]
    dropped: int


def load_driver_groups(path: Path) -> dict[str, DriverGroup]:
    """Read drivers.toml."""
    tables = tomllib.loads(path.read_text())
    return {
        name: DriverGroup(name, table["reason"], tuple(table["modules"])) for name, table in tables.items()
    }


def check_driver_names(names: Sequence[str], groups: Mapping[str, DriverGroup]) -> None:
    """Raise InvalidInput for each group that drivers.toml does not define."""
    problems = [
        f"unknown driver group '{name}'; known are {', '.join(groups)}"
        for name in names
        if name not in groups
    ]
    if problems:
        raise InvalidInput(problems, "the groups stand in kickstarts/drivers.toml")


def find_kernel_version(root: Path) -> str:
    """Name the newest kernel below /usr/lib/modules."""
    versions = sorted((root / "usr/lib/modules").glob("*"), key=lambda path: _version_key(path.name))
    if not versions:
        raise VirtnodeError(Code.INVALID, "the packages brought no kernel", "name one in %packages")
    return versions[-1].name


def keep_drivers(root: Path, groups: Sequence[DriverGroup]) -> DriverReport:
    """Drop the modules that no group keeps and no kept module needs; depmod's indexes still name them."""
    version = find_kernel_version(root)
    tree = root / "usr/lib/modules" / version
    dependencies = read_dependencies(tree / "modules.dep")
    kept = select_modules(dependencies, groups)
    sizes = dict.fromkeys([group.name for group in groups], 0)
    dropped = 0
    for module in dependencies:
        path = tree / module
        if module in kept:
            sizes[kept[module]] += path.stat().st_size
        else:
            dropped += path.stat().st_size
            path.unlink()
    _prune_empty(tree / "kernel")
    return DriverReport(sizes, dropped)


def index_drivers(root: Path) -> None:
    """Write depmod's indexes of the modules that are there."""
    run_in_root(root, ["depmod", find_kernel_version(root)])


def read_dependencies(path: Path) -> dict[str, tuple[str, ...]]:
    """Read modules.dep: each module's path and the paths it needs, relative to the modules' folder."""
    lines = (line.partition(":") for line in path.read_text().splitlines())
    return {module: tuple(needed.split()) for module, _, needed in lines}


def select_modules(
    dependencies: Mapping[str, tuple[str, ...]], groups: Iterable[DriverGroup]
) -> dict[str, str]:
    """Map each module to keep to the first group that keeps it, dependencies included."""
    kept: dict[str, str] = {}
    for group in groups:
        wanted = _compile(group.patterns, negative=False)
        unwanted = _compile(group.patterns, negative=True)
        for module in dependencies:
            name = MODULE_SUFFIX.sub("", module.removeprefix("kernel/"))
            if wanted.fullmatch(name) and not unwanted.fullmatch(name):
                for needed in (module, *dependencies[module]):
                    kept.setdefault(needed, group.name)
    return kept


def unpack_drivers(root: Path, carried: Collection[str]) -> dict[str, str]:
    """Unpack the compressed modules and drop those that the initramfs carries; map old paths to new.

    A root compresses smaller as a whole than module by module. The signature is inside, and stays. depmod's
    indexes name the carried modules, too: the initramfs hands them over under their own names.
    """
    version = find_kernel_version(root)
    tree = root / "usr/lib/modules" / version
    renamed = {}
    for suffix, command in DECOMPRESSORS.items():
        packed = [
            path for path in sorted(tree.rglob(f"*.ko{suffix}")) if str(path.relative_to(tree)) not in carried
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda share, command=command: run([*command, *share]), _shares(packed)))
        renamed.update(
            {f"/{path.relative_to(root)}": f"/{path.with_suffix('').relative_to(root)}" for path in packed}
        )
    index_drivers(root)
    for driver in carried:
        (tree / driver).unlink()
    _prune_empty(tree / "kernel")
    return renamed


def keep_firmware(root: Path) -> int:
    """Drop firmware that no kept module names, processors' microcode aside; return the bytes dropped."""
    firmware = root / "usr/lib/firmware"
    if not firmware.is_dir():
        return 0
    modules = [str(path) for path in (root / "usr/lib/modules").rglob("*.ko*")]
    named = set(run(["modinfo", "--field", "firmware", *modules]).stdout.split()) if modules else set()
    patterns = re.compile("|".join(fnmatch.translate(name) for name in sorted(named)) or r"(?!)")
    files = [path for path in sorted(firmware.rglob("*")) if path.is_symlink() or not path.is_dir()]
    kept = {path for path in files if _is_wanted(str(path.relative_to(firmware)), patterns)}
    # A name that a module asks for may be a link to a file that none does.
    kept |= {path.resolve() for path in kept}
    dropped = 0
    for path in files:
        if path not in kept and path.resolve() not in kept:
            dropped += path.lstat().st_size
            path.unlink()
    _prune_empty(firmware)
    return dropped


def _is_wanted(name: str, patterns: re.Pattern[str]) -> bool:
    plain = re.sub(r"\.(xz|zst)$", "", name)
    return bool(patterns.match(plain)) or plain.startswith(("amd-ucode/", "intel-ucode/"))


def _compile(patterns: Sequence[str], *, negative: bool) -> re.Pattern[str]:
    chosen = [p.removeprefix("!") for p in patterns if p.startswith("!") is negative]
    return re.compile(
        "|".join(_translate(word) for pattern in chosen for word in _expand(pattern)) or r"(?!)"
    )


def _expand(pattern: str) -> list[str]:
    found = BRACES.search(pattern)
    if not found:
        return [pattern]
    return [
        word
        for choice in found[1].split(",")
        for word in _expand(pattern[: found.start()] + choice + pattern[found.end() :])
    ]


def _translate(pattern: str) -> str:
    parts = (re.escape(part).replace(r"\*", "[^/]*") for part in pattern.split("**"))
    return ".*".join(parts)


def _shares(paths: Sequence[Path]) -> list[Sequence[Path]]:
    """Deal paths out to the processors."""
    count = os.cpu_count() or 1
    return [share for start in range(count) if (share := paths[start::count])]


def _prune_empty(directory: Path) -> None:
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def _version_key(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", version) if part]
