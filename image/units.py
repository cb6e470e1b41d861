"""What the systemd units and D-Bus services of a root tree would run, and which units are there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from image.rootpath import RootPaths

UNIT_DIRECTORIES = {
    scope: tuple(f"{top}/{scope}" for top in ("/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"))
    for scope in ("system", "user")
}
_BUS_DIRECTORIES = ("/usr/share/dbus-1/system-services", "/usr/share/dbus-1/services")
_SUFFIXES = (".service", ".socket", ".mount", ".swap")
_CONDITIONS = ("ConditionPathExists", "ConditionFileIsExecutable", "ConditionFileNotEmpty")
_PREFIXES = "-@:+!|"


@dataclass(frozen=True)
class Command:
    """A program that a unit starts and cannot do without."""

    unit: str
    setting: str
    program: str


def find_commands(paths: RootPaths) -> Iterator[Command]:
    """List what all units and bus services start.

    Left out: failure tolerated (`-`), names made at run time (`%`, `$`), a program that is its unit's own
    condition, and units that /etc masks.
    """
    for directory in (*UNIT_DIRECTORIES["system"], *UNIT_DIRECTORIES["user"], *_BUS_DIRECTORIES):
        for pattern in (f"{directory}/*", f"{directory}/*.d/*.conf"):
            for path in paths.glob(pattern):
                unit = path.rpartition("/")[0] if path.endswith(".conf") else path
                if unit.removesuffix(".d").endswith(_SUFFIXES) and not _is_masked(paths, path):
                    yield from _read_commands(path, Path(paths.host(path)))


def has_unit(paths: RootPaths, scope: str, name: str) -> bool:
    """Tell whether a unit of this name, or the template it is an instance of, is there."""
    stem, at, rest = name.partition("@")
    names = [name, f"{stem}@.{rest.rpartition('.')[2]}"] if at else [name]
    return any(paths.exists(f"{folder}/{one}") for folder in UNIT_DIRECTORIES[scope] for one in names)


def _is_masked(paths: RootPaths, path: str) -> bool:
    directory, _, name = path.rpartition("/")
    override = f"/etc/systemd/{directory.rpartition('/')[2]}/{name}"
    return any(paths.resolve(candidate) == "/dev/null" for candidate in (path, override))


def _read_commands(unit: str, file: Path) -> Iterator[Command]:
    if file.is_symlink() or not file.is_file():
        return
    settings = list(_read_settings(file.read_text(errors="replace")))
    conditions = {value.lstrip("|") for key, value in settings if key in _CONDITIONS}
    for key, value in settings:
        if not key.startswith("Exec") or not value:
            continue
        word = value.split()[0]
        program = word.lstrip(_PREFIXES).strip("\"'")
        tolerated = "-" in word[: len(word) - len(word.lstrip(_PREFIXES))]
        made_later = "%" in program or "$" in program
        if program and not (tolerated or made_later or program in conditions):
            yield Command(unit, key, program)


def _read_settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.replace("\\\n", " ").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            yield key.strip(), value.strip()
