"""Documentation keeps up with the program: what can be said to it stands in the page where one looks."""

import argparse
import re
from pathlib import Path

import pytest

from image.doctor import GROUPS
from image.drivers import load_driver_groups
from image.kickstart import HONOURED_SECTIONS, PACKAGES_OPTIONS, POST_OPTIONS
from image.kickstart_addon import DIRECTIVES
from image.kickstart_commands import FILE_SYSTEMS, HONOURED
from image.main import make_parser
from image.media.grub import live_entries
from image.networkd import BOND_KEYS
from image.nftables import SERVICES
from image.plan import CHECKOUT, DRIVER_GROUPS, MEDIA
from image.template import _CHECKS as TRIM_COMMANDS
from image.verify.matrix import CASE_NAMES

README = CHECKOUT / "README.md"
KICKSTART = CHECKOUT / "docs/kickstart.md"
PAGES = (README, CHECKOUT / "DESIGN.md", CHECKOUT / "CHANGELOG.md", *sorted((CHECKOUT / "docs").glob("*.md")))
NOT_HERE_YET: set[str] = set()
"""Pages that are linked to before they are written."""


def coded(page: Path) -> str:
    """Return what stands between backquotes and in code blocks, each piece on a line of its own."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *blocks])


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Name virtnode-image's verbs."""
    actions = make_parser()._actions
    return {
        name: parser
        for action in actions
        if isinstance(action, argparse._SubParsersAction)
        for name, parser in action.choices.items()
    }


def options(verb: str) -> list[str]:
    """Name a verb's own options."""
    names = [name for action in verbs()[verb]._actions for name in action.option_strings]
    return sorted({name for name in names if name.startswith("--")} - {"--help"})


@pytest.mark.parametrize("command", sorted(HONOURED))
def test_every_kickstart_command_stands_in_its_reference(command: str) -> None:
    """Each honoured command, and each of its options, is explained."""
    text = coded(KICKSTART)
    assert re.search(rf"^{command}\b", text, re.MULTILINE), command
    names = {word.partition("=")[0] for word in HONOURED[command].words if word.startswith("--")}
    assert [name for name in sorted(names) if not re.search(rf"{name}\b", text)] == []


@pytest.mark.parametrize("section", [*HONOURED_SECTIONS, *PACKAGES_OPTIONS, *POST_OPTIONS])
def test_every_section_stands_in_its_reference(section: str) -> None:
    """Each section and each of its options is explained."""
    assert section.partition("=")[0] in coded(KICKSTART)


@pytest.mark.parametrize("directive", sorted(DIRECTIVES))
def test_every_directive_stands_in_its_reference(directive: str) -> None:
    """Each directive of %addon virtnode_image has a line."""
    assert re.search(rf"^\| `{directive} ", KICKSTART.read_text(), re.MULTILINE)


def test_the_driver_groups_are_those_of_the_list() -> None:
    """The table has every group with its reason, in order, and no other."""
    groups = load_driver_groups(DRIVER_GROUPS)
    table = "".join(f"| `{group.name}` | {group.reason} |\n" for group in groups.values())
    assert f"|---|---|\n{table}\n" in KICKSTART.read_text()


@pytest.mark.parametrize("words", [SERVICES, BOND_KEYS, FILE_SYSTEMS, TRIM_COMMANDS])
def test_every_word_that_a_command_takes_is_listed(words: dict[str, object]) -> None:
    """Services, bond options, mount points and the commands of trim templates."""
    text = coded(KICKSTART)
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_has_an_example(verb: str) -> None:
    """The README shows each verb with an argument or alone, and names all of its options."""
    text = coded(README)
    assert re.search(rf"virtnode-image {verb}\b", text)
    assert [name for name in options(verb) if not re.search(rf"{name}\b", text)] == []


@pytest.mark.parametrize("words", [MEDIA, CASE_NAMES, tuple(GROUPS)])
def test_every_choice_of_an_option_is_listed(words: tuple[str, ...]) -> None:
    """Media, rows of the boot matrix and groups of tools."""
    text = README.read_text() + (CHECKOUT / "DESIGN.md").read_text()
    assert [word for word in words if not re.search(rf"\b{word}\b", text)] == []


def test_every_menu_entry_is_listed() -> None:
    """docs/media.md has each line of the ISO's boot menu, by its id and its title."""
    text = (CHECKOUT / "docs/media.md").read_text()
    entries = live_entries("virtnode VERSION", "live:CDLABEL=X", ())
    assert [entry for entry in entries if f"| `{entry.name}` | {entry.title} |" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link or picture names a file of this checkout, and a heading that its page has."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        name, _, heading = target.partition("#")
        if "://" in target:
            continue
        path = (page.parent / name).resolve() if name else page
        if not path.exists():
            assert str(path.relative_to(CHECKOUT)) in NOT_HERE_YET, f"{page.name}: {target}"
        elif heading:
            assert heading in anchors(path.read_text()), f"{page.name}: {target}"


def anchors(text: str) -> set[str]:
    """Name the headings of a page as links spell them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_path_that_is_named_exists() -> None:
    """A file of this checkout that a page names is there; NAME stands for one that a reader would add."""
    folders = "image|kickstarts|nodeagent|nodelib|tui|tests|docs|bench"
    missing = {
        f"{page.name}: {path}"
        for page in PAGES
        for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", page.read_text())
        if not (CHECKOUT / path).exists() and path not in NOT_HERE_YET and "NAME" not in path
    }
    assert missing == set()
