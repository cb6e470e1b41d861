"""What a boot loader's menu offers: the titles and kernel arguments in GRUB's or PXELINUX's file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from image.media.areas import DISK_ARGUMENTS, MENU_VARIABLE, read_arguments
from image.medium import StoredFile

_MENU_NAMES = ("grub.cfg", "syslinux.cfg", "isolinux.cfg", "pxelinux.cfg/default")
_CUSTOM_NAME = f"/{DISK_ARGUMENTS}"
_SETTING = re.compile(r"""\s*set\s+(\w+)=(?:"([^"]*)"|'([^']*)'|(\S*))""")
_ENTRY = re.compile(r"""\s*menuentry\s+(?:"([^"]*)"|'([^']*)'|(\S+))""")
_LINUX = re.compile(r"\s*linux(?:efi|16)?\s+(\S+)\s*(.*)")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_LABEL = re.compile(r"\s*label\s+(.+)", re.IGNORECASE)
_APPEND = re.compile(r"\s*append\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class MenuEntry:
    """An entry of a boot menu: the file it stands in, its title, the kernel and its arguments."""

    menu: str
    title: str
    kernel: str
    arguments: str


def read_menus(files: Iterable[StoredFile]) -> tuple[MenuEntry, ...]:
    """Read every boot menu among a medium's files, with the kernel arguments that `customize` added."""
    files = tuple(files)
    added = [read_arguments(file.read()) for file in files if file.path.endswith(_CUSTOM_NAME)]
    variables = {MENU_VARIABLE: added[0]} if added else {}
    entries: list[MenuEntry] = []
    for file in files:
        if file.path.lower().endswith(_MENU_NAMES):
            text = file.read().decode(errors="replace")
            if file.path.lower().endswith("grub.cfg"):
                entries += parse_grub(text, file.path, variables)
            else:
                entries += parse_pxelinux(text, file.path)
    return tuple(entries)


def parse_grub(text: str, menu: str, given: Mapping[str, str] | None = None) -> list[MenuEntry]:
    """Read a grub.cfg's entries, with what `set` gave the variables before them, and with those given."""
    variables: dict[str, str] = dict(given or {})
    entries: list[MenuEntry] = []
    title = ""
    for line in text.replace("\\\n", " ").splitlines():
        if match := _SETTING.match(line):
            variables[match[1]] = _expand(match[2] or match[3] or match[4] or "", variables)
        elif match := _ENTRY.match(line):
            title = _expand(match[1] or match[2] or match[3], variables)
        elif match := _LINUX.match(line):
            arguments = " ".join(_expand(match[2], variables).split())
            entries.append(MenuEntry(menu, title, _expand(match[1], variables), arguments))
    return entries


def parse_pxelinux(text: str, menu: str) -> list[MenuEntry]:
    """Read a SYSLINUX or PXELINUX menu's entries."""
    entries: list[MenuEntry] = []
    title = kernel = ""
    for line in text.splitlines():
        if match := _LABEL.match(line):
            title, kernel = match[1].strip(), ""
        elif match := re.match(r"\s*(?:kernel|linux)\s+(\S+)", line, re.IGNORECASE):
            kernel = match[1]
        elif match := _APPEND.match(line):
            entries.append(MenuEntry(menu, title, kernel, " ".join(match[1].split())))
    return entries


def _expand(text: str, variables: dict[str, str]) -> str:
    """Put in the variables that are known; others, which GRUB sets when it runs, stay as they are written."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)
