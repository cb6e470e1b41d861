"""What a boot loader's menu offers: the titles and kernel arguments in GRUB's or PXELINUX's file."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from image.media.areas import DISK_ARGUMENTS, MENU_VARIABLE, read_arguments
from image.medium import StoredFile
from nodelib.slot_menu import TRIAL_ARGUMENT, TRIAL_ARGUMENTS, TRIAL_VARIABLE

_MENU_NAMES = ("grub.cfg", "syslinux.cfg", "isolinux.cfg", "pxelinux.cfg/default")
_CUSTOM_NAME = f"/{DISK_ARGUMENTS}"
_DISK_MENU, _ENVIRONMENT = "grub/grub.cfg", "grub/grubenv"
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
                entries += parse_grub(text, file.path, variables, _slot_variables(file.path, files))
            else:
                entries += parse_pxelinux(text, file.path)
    return tuple(entries)


def parse_grub(
    text: str, menu: str, given: Mapping[str, str] | None = None, fixed: Mapping[str, str] | None = None
) -> list[MenuEntry]:
    """Read a grub.cfg's entries, with what `set` gave the variables before them, and with those given.

    What is `fixed` no `set` changes: it depends on what GRUB finds when it runs.
    """
    fixed = fixed or {}
    variables: dict[str, str] = {**(given or {}), **fixed}
    entries: list[MenuEntry] = []
    title = ""
    for line in text.replace("\\\n", " ").splitlines():
        if match := _SETTING.match(line):
            if match[1] not in fixed:
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


def read_settings(text: str) -> dict[str, str]:
    """Read a script that does nothing but `set` variables, as slot.cfg does."""
    matches = (_SETTING.match(line) for line in text.splitlines())
    return {match[1]: match[2] or match[3] or match[4] or "" for match in matches if match}


def slot_to_start(environment: str) -> str:
    """Say which slot a disk starts next, by its grubenv."""
    values = read_values(environment)
    return values["trial"] if is_trial(values) else values.get("slot", "a")


def is_trial(values: Mapping[str, str]) -> bool:
    """Tell whether the next start of a disk is a try, by the values of its grubenv."""
    return bool(values.get("trial")) and values.get("tries", "0") != "0"


def read_values(environment: str) -> dict[str, str]:
    """Read a grubenv."""
    return {name: value for name, _, value in (line.partition("=") for line in environment.splitlines())}


def _slot_variables(menu: str, files: tuple[StoredFile, ...]) -> dict[str, str]:
    """Read what the slot that starts next gives to the menu of a disk; nothing on other media."""
    top = menu.removesuffix(_DISK_MENU)
    texts = {file.path: file.read().decode(errors="replace") for file in files if _is_of_slots(file.path)}
    environment = texts.get(f"{top}{_ENVIRONMENT}", "")
    slot = slot_to_start(environment)
    config = texts.get(f"{top}{slot}/slot.cfg")
    if config is None:
        return {}
    is_tried = is_trial(read_values(environment))
    told = f"{TRIAL_ARGUMENT}={slot} {' '.join(TRIAL_ARGUMENTS)}" if is_tried else ""
    return {"slot": slot, TRIAL_VARIABLE: told, **read_settings(config)}


def _is_of_slots(path: str) -> bool:
    return path.endswith((f"/{_ENVIRONMENT}", "/slot.cfg"))


def _expand(text: str, variables: dict[str, str]) -> str:
    """Put in the variables that are known; others, which GRUB sets when it runs, stay as they are written."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), text)
