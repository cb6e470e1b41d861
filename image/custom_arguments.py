"""Kernel arguments that are added to a finished image: checked, and written into a PXE folder's menus."""

import re
from collections.abc import Sequence

from image.boot_menu import parse_grub
from image.media.areas import ARGUMENTS_ROOM, MENU_VARIABLE
from nodelib.errors import Code, InvalidInput, VirtnodeError
from nodelib.slot_menu import KERNEL_ROOM, TRIAL_VARIABLE

PLACEHOLDERS = ("${mac}", "${uuid}", "${serial}")
"""What the node puts in for itself, in node.config; iPXE has the same words for the same things."""
ALLOWED = re.compile(r"[A-Za-z0-9_.,:=/@%+~\[\]()*?!&^-]+")

_IPXE = re.compile(rf"^set {MENU_VARIABLE}(?: (.*))?$", re.MULTILINE)
_GRUB = re.compile(rf"^set {MENU_VARIABLE}='([^']*)'$", re.MULTILINE)
_PXELINUX = re.compile(rf"^#{MENU_VARIABLE}=(.*)$", re.MULTILINE)
_APPEND = re.compile(r"^( *APPEND .*)$", re.MULTILINE)
MENUS = {"boot.ipxe": _IPXE, "grub.cfg": _GRUB, "pxelinux.cfg/default": _PXELINUX}
"""The menus of a PXE folder, and how each says what was added."""


def check_arguments(words: Sequence[str]) -> str:
    """Join arguments to what is added to the command line; raises InvalidInput with all that cannot stand."""
    problems = [problem for word in words if (problem := _problem_of(word))]
    text = " ".join(words)
    if len(text) > ARGUMENTS_ROOM:
        problems.append(f"--karg: {len(text)} letters in all, and there is room for {ARGUMENTS_ROOM}")
    if problems:
        raise InvalidInput(problems, "put it into the configuration, or into a build's bootloader --append")
    return text


def _problem_of(word: str) -> str:
    bare = word
    for placeholder in PLACEHOLDERS:
        bare = bare.replace(placeholder, "x")
    if ALLOWED.fullmatch(bare):
        return ""
    return (
        f"--karg: {word!r} has a letter that a boot menu would act upon; allowed: letters, digits, "
        f"any of _.,:=/@%+~[]()*?!&^- and {', '.join(PLACEHOLDERS)}"
    )


def check_room(menu: str, added: str) -> None:
    """Refuse what an entry of a grub.cfg would not hand on, or what makes it longer than the kernel reads."""
    entries = parse_grub(menu, "grub.cfg", {MENU_VARIABLE: added})
    # What a disk tells a slot on trial comes after it.
    plain = parse_grub(menu, "grub.cfg", {MENU_VARIABLE: added}, {TRIAL_VARIABLE: ""})
    if added and not all(entry.arguments.endswith(added) for entry in plain):
        raise VirtnodeError(
            Code.INVALID,
            "--karg: the menu of this artefact does not take kernel arguments",
            "it was changed since it was built; customise one as it was built",
        )
    total = max((len(entry.arguments) for entry in entries), default=0)
    if total > KERNEL_ROOM:
        raise VirtnodeError(
            Code.INVALID,
            f"--karg: the command line would have {total} letters, and the kernel reads {KERNEL_ROOM}",
            "leave some out, or put them into the configuration",
        )


def read_menu_arguments(name: str, text: str) -> str:
    """Read what was added to a menu of a PXE folder; raises VirtnodeError where there is no place."""
    match = MENUS[name].search(text)
    if match is None:
        raise VirtnodeError(
            Code.INVALID, f"{name} has no place for kernel arguments", "take the folder as it was built"
        )
    return match[1] or ""


def set_menu_arguments(name: str, text: str, arguments: str) -> str:
    """Change what is added to every entry of a PXE folder's menu."""
    before = read_menu_arguments(name, text)
    lines = {
        "boot.ipxe": f"set {MENU_VARIABLE} {arguments}".rstrip(),
        "grub.cfg": f"set {MENU_VARIABLE}='{arguments}'",
        "pxelinux.cfg/default": f"#{MENU_VARIABLE}={arguments}",
    }
    text = MENUS[name].sub(lambda _: lines[name], text, count=1)
    if MENUS[name] is _PXELINUX:
        text = _APPEND.sub(lambda match: _appended(match[1], before, arguments), text)
    return text


def _appended(line: str, before: str, arguments: str) -> str:
    bare = line.removesuffix(f" {before}") if before else line
    return f"{bare} {arguments}".rstrip()
