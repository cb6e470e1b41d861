"""What `%addon virtnode_image` says: the things kickstart has no command for, one directive a line."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from image.config import Origin, PublicKey, parse_size
from image.kickstart_draft import Draft, merged
from image.kickstart_text import Problems, Section, split_words
from image.signing import read_public_key
from nodelib.errors import VirtnodeError

ADDON_NAME = "virtnode_image"
BASES = ("debian", "fedora")
GROUP_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
PACKAGE_GLOB = re.compile(r"[A-Za-z0-9*?\[][A-Za-z0-9._+:~*?\[\]!-]*")


@dataclass(frozen=True)
class Directive:
    """A directive of the section: what may follow it, how many words, and who reads them."""

    form: str
    read: Callable[[Draft, Origin, tuple[str, ...]], None]
    takes_many: bool = False


def read_addon(draft: Draft, section: Section) -> None:
    """Add every line of one section to the draft."""
    draft.places.setdefault(("section", "%addon"), section.origin)
    for line in section.body:
        words = split_words(line, draft.problems)
        if words:
            _read_directive(draft, line.origin, words[0], words[1:])


def _read_directive(draft: Draft, origin: Origin, name: str, words: tuple[str, ...]) -> None:
    directive = DIRECTIVES.get(name)
    if directive is None:
        draft.problems.add_unknown(origin, f"%addon {ADDON_NAME}: directive", name, DIRECTIVES)
    elif not words or "" in words or (len(words) > 1 and not directive.takes_many):
        draft.problems.add(origin, f"{name} has the wrong number of words", f"{name} {directive.form}")
    else:
        directive.read(draft, origin, words)


def _read_base(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    if words[0] not in BASES:
        draft.problems.add_unknown(origin, "base", words[0], BASES)
    draft.set_once(origin, "base", words[0])


def _read_suite(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    draft.set_once(origin, "suite", words[0])


def _read_size_budget(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    try:
        draft.set_once(origin, "size-budget", parse_size(" ".join(words)))
    except ValueError:
        draft.problems.add(
            origin, f"size-budget {words[0]} is not a size", "as in 120MB, 1GB or 120000000 (bytes)"
        )


def _read_gpgkey(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    path = _existing_file(draft.problems, origin, words[0])
    if path and str(path) not in draft.gpg_keys:
        draft.gpg_keys.append(str(path))


def _read_update_key(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    _add_key(draft, origin, words[0], "update-key", draft.update_keys)


def _read_config_key(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    _add_key(draft, origin, words[0], "config-key", draft.config_keys)


def _add_key(draft: Draft, origin: Origin, file: str, directive: str, keys: list[PublicKey]) -> None:
    path = _existing_file(draft.problems, origin, file)
    if path is None:
        return
    try:
        key = read_public_key(path)
    except VirtnodeError as error:
        draft.problems.add(origin, f"{directive}: {error.message.replace(str(path), file)}", error.hint)
        return
    if key not in keys and draft.add_name(origin, directive, key.name):
        keys.append(key)


def _read_trim(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    path = _existing_file(draft.problems, origin, words[0])
    if path and path not in draft.trim.templates:
        draft.trim = replace(draft.trim, templates=(*draft.trim.templates, path))


def _read_keep_drivers(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    for word in words:
        if not GROUP_NAME.fullmatch(word):
            draft.problems.add(origin, f"keep-drivers: {word!r} is not a group's name", "as in network")
    draft.trim = replace(draft.trim, keep_drivers=merged(draft.trim.keep_drivers, words))


def _read_drop_package(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    for word in words:
        if not PACKAGE_GLOB.fullmatch(word):
            draft.problems.add(origin, f"drop-package: {word!r} is not a package", "a name or a glob")
    draft.trim = replace(draft.trim, drop_packages=merged(draft.trim.drop_packages, words))


def _read_drop_path(draft: Draft, origin: Origin, words: tuple[str, ...]) -> None:
    for word in words:
        if not word.startswith("/") or ".." in word.split("/") or not word.strip("/*"):
            draft.problems.add(
                origin, f"drop-path: {word!r} is not a path of the node", "an absolute path or glob"
            )
    draft.trim = replace(draft.trim, drop_paths=merged(draft.trim.drop_paths, words))


def _existing_file(problems: Problems, origin: Origin, name: str) -> Path | None:
    """Return the absolute path of a file named relative to the kickstart that names it."""
    path = (origin.file.parent / name).resolve()
    if not path.is_file():
        problems.add(origin, f"{name} is not a file", "the path is relative to the kickstart it stands in")
        return None
    return path


DIRECTIVES: dict[str, Directive] = {
    "base": Directive(" or ".join(BASES), _read_base),
    "suite": Directive("NAME, as in trixie or 43", _read_suite),
    "gpgkey": Directive("FILE", _read_gpgkey),
    "update-key": Directive("FILE", _read_update_key),
    "config-key": Directive("FILE", _read_config_key),
    "size-budget": Directive("SIZE, as in 120MB", _read_size_budget),
    "keep-drivers": Directive("GROUP...", _read_keep_drivers, takes_many=True),
    "trim": Directive("FILE", _read_trim),
    "drop-package": Directive("GLOB...", _read_drop_package, takes_many=True),
    "drop-path": Directive("GLOB...", _read_drop_path, takes_many=True),
}
"""Every directive by its name."""
