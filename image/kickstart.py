"""Reads a kickstart into an ImageConfig; the only module that knows pykickstart."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from pykickstart.errors import KickstartError
from pykickstart.parser import Script as ParsedScript
from pykickstart.sections import PackageSection, PostScriptSection
from pykickstart.version import makeVersion

from image.config import ImageConfig, Origin, Script
from image.kickstart_accounts import HASH_HINT
from image.kickstart_addon import ADDON_NAME, PACKAGE_GLOB, read_addon
from image.kickstart_check import check_draft
from image.kickstart_commands import HONOURED, Honoured
from image.kickstart_draft import Arguments, Draft
from image.kickstart_text import Command, Line, Problems, Section, display_path, read_items
from nodelib.errors import InvalidInput

HONOURED_SECTIONS = ("%packages", "%post", f"%addon {ADDON_NAME}", "%include")
PACKAGES_OPTIONS = ("--excludedocs", "--exclude-weakdeps", "--inst-langs=LANGUAGE:LANGUAGE")
POST_OPTIONS = ("--nochroot", "--interpreter=PATH", "--erroronfail", "--log=PATH")
OPTION_HINTS = {
    "--plaintext": HASH_HINT,
    "--ntpservers": "timesource --ntp-server=NAME, one line a server",
    "--instLangs": "--inst-langs",
    "--excludeWeakdeps": "--exclude-weakdeps",
    "--logfile": "--log",
    "--isUtc": "--utc",
}
"""What to write in place of an option of old, or of one that we refuse for a reason."""


def load_kickstart(path: Path) -> ImageConfig:
    """Read a kickstart and its includes; raises InvalidInput, each problem as `FILE:LINE: what; allowed`."""
    problems = Problems()
    draft = Draft(display_path(path), problems)
    reader = _Reader(draft)
    items = list(read_items(path, problems))
    for item in items:
        reader.read(item)
    if items or not problems.lines():
        check_draft(draft)
    found = problems.lines()
    if found:
        raise InvalidInput(found)
    return draft.finish()


class _Reader:
    """Takes commands and sections one by one through pykickstart into the draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._problems = draft.problems
        self._handler: Any = makeVersion()

    def read(self, item: Command | Section) -> None:
        """Add one command or section to the draft."""
        if isinstance(item, Command):
            self._read_command(item)
        elif item.words:
            self._read_section(item)

    def _read_command(self, command: Command) -> None:
        name = command.words[0]
        honoured = HONOURED.get(name)
        if honoured is None:
            self._problems.add_unknown(command.origin, "command", name, (*HONOURED, *HONOURED_SECTIONS))
            return
        if not self._check_options(command.origin, command.words, honoured.words):
            return
        options = frozenset(_option_names(command.words[1:]))
        for option in sorted(options.intersection(_option_names(honoured.fedora_words))):
            self._draft.only_on_fedora.append((command.origin, f"{name} {option}"))
        values = self._parse_command(command, honoured)
        if values is not None:
            honoured.read(self._draft, command.origin, Arguments(options, values))

    def _parse_command(self, command: Command, honoured: Honoured) -> dict[str, object] | None:
        """Return what pykickstart takes from one command, or None and a problem.

        The command object is made anew each time: pykickstart keeps the options of the one before.
        """
        name = command.words[0]
        self._handler.resetCommand(name)
        try:
            data = self._handler.dispatcher(list(command.words), command.origin.line)
        except KickstartError as error:
            is_secret = honoured.keeps_secret and _repeats_a_word(error.message, command.words[1:])
            wrong = "its words are wrong" if is_secret else _plain_message(error)
            self._problems.add(command.origin, f"{name}: {wrong}", f"allowed: {', '.join(honoured.words)}")
            return None
        return {key: getattr(data, key) for key in (*vars(data), "keyboard") if hasattr(data, key)}

    def _check_options(self, origin: Origin, words: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
        """Report options that are not spelt out as we honour them; pykickstart would take abbreviations."""
        wrong = [option for option in _option_names(words[1:]) if option not in _option_names(allowed)]
        for option in wrong:
            if option in OPTION_HINTS:
                self._problems.add(origin, f"{words[0]} {option} is not honoured", OPTION_HINTS[option])
            else:
                self._problems.add_unknown(origin, f"{words[0]}: option", option, allowed)
        return not wrong

    def _read_section(self, section: Section) -> None:
        name, addon = section.words[0], section.words[1:2]
        if name == "%packages":
            self._read_packages(section)
        elif name == "%post":
            self._read_post(section)
        elif name == "%addon" and section.words[1:] == (ADDON_NAME,):
            read_addon(self._draft, section)
        else:
            title = " ".join((name, *addon)) if name == "%addon" else name
            self._problems.add_unknown(section.origin, "section", title, HONOURED_SECTIONS)

    def _open_section(
        self, section: Section, parsed: PackageSection | PostScriptSection, allowed: tuple[str, ...]
    ) -> bool:
        """Let pykickstart read a section's header; False, and problems, when something is wrong with it."""
        if not self._check_options(section.origin, section.words, allowed):
            return False
        try:
            parsed.handleHeader(section.origin.line, list(section.words))
        except KickstartError as error:
            self._problems.add(
                section.origin,
                f"{section.words[0]}: {_plain_message(error)}",
                f"allowed: {', '.join(allowed)}",
            )
            return False
        return True

    def _read_packages(self, section: Section) -> None:
        """Add a list of packages; a later line overrides an earlier one, as kickstart has it."""
        parsed = PackageSection(self._handler)
        self._handler.packages.instLangs = None
        if self._open_section(section, parsed, PACKAGES_OPTIONS):
            self._take_packages_options(section.origin)
        for line in section.body:
            if self._check_package(line):
                parsed.handleLine(line.text)
        self._take_packages()

    def _take_packages_options(self, origin: Origin) -> None:
        """Add a header's options: pykickstart keeps those of the last section only."""
        packages, known = self._handler.packages, self._draft.packages
        languages = known.languages
        if packages.instLangs is not None:
            languages = tuple(packages.instLangs.replace(",", ":").split(":")) if packages.instLangs else ()
            self._draft.set_once(origin, "%packages --inst-langs", languages)
        self._draft.packages = replace(
            known,
            exclude_docs=known.exclude_docs or packages.excludeDocs,
            exclude_weakdeps=known.exclude_weakdeps or packages.excludeWeakdeps,
            languages=languages,
        )

    def _take_packages(self) -> None:
        packages = self._handler.packages
        self._draft.packages = replace(
            self._draft.packages,
            install=tuple(packages.packageList),
            groups=tuple(group.name for group in packages.groupList),
            environment=packages.environment or "",
            exclude=tuple(packages.excludedList),
        )

    def _check_package(self, line: Line) -> bool:
        """Tell whether a line of %packages is one we honour; blank ones are none."""
        text = line.text.partition("#")[0].strip()
        if not text:
            return False
        allowed = "a package name or glob, @GROUP, @^ENVIRONMENT or -PACKAGE, one a line"
        if text.startswith("@"):
            return self._check_package_group(line.origin, text, allowed)
        if not PACKAGE_GLOB.fullmatch(text.removeprefix("-")):
            self._problems.add(line.origin, f"%packages: {text!r} is not honoured", allowed)
            return False
        return True

    def _check_package_group(self, origin: Origin, text: str, allowed: str) -> bool:
        name = text.removeprefix("@").removeprefix("^").strip()
        if not name or "--" in name:
            self._problems.add(origin, f"%packages: {text!r} is not honoured", allowed)
            return False
        if text.startswith("@^"):
            self._draft.set_once(origin, "%packages @^ENVIRONMENT", name)
        self._draft.only_on_fedora.append((origin, f"%packages {text}"))
        return True

    def _read_post(self, section: Section) -> None:
        """Add a script; one without a line in it does nothing and is left out."""
        parsed = PostScriptSection(self._handler, dataObj=ParsedScript)
        if not self._open_section(section, parsed, POST_OPTIONS):
            return
        for line in section.body:
            parsed.handleLine(line.text + "\n")
        parsed.finalize()
        for script in self._handler.scripts:
            self._add_script(section.origin, script)
        self._handler.scripts.clear()

    def _add_script(self, origin: Origin, script: ParsedScript) -> None:
        for option, path in (("--interpreter", script.interp), ("--log", script.logfile or "")):
            if path and not path.startswith("/"):
                self._problems.add(
                    origin, f"%post {option}={path} is not an absolute path", f"{option}=/PATH"
                )
        self._draft.post_scripts.append(
            Script(
                origin=origin,
                text=script.script,
                chroot=script.inChroot,
                interpreter=script.interp,
                error_on_fail=script.errorOnFail,
                log=script.logfile or "",
            )
        )


def _option_names(words: tuple[str, ...]) -> list[str]:
    """Return the options among a command's words, without their values.

    A word with a space before any = is a value, as argparse has it: `--gecos "- the admin"`.
    """
    names = [word.partition("=")[0] for word in words if word.startswith("-")]
    return [name for name in names if " " not in name]


def _plain_message(error: KickstartError) -> str:
    """Return pykickstart's message without the choices of argparse, of which we honour fewer."""
    return re.sub(r" \(choose from .*\)", "", str(error.message)).rstrip(".")


def _repeats_a_word(message: str, words: tuple[str, ...]) -> bool:
    """Tell whether a message shows a value among a command's words, which may be a password."""
    values = [word.partition("=")[2] if word.startswith("-") else word for word in words]
    return any(value in message for value in values if value)
