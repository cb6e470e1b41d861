"""docs/engine.md keeps up with the program."""

import argparse
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.main import make_parser
from engine.options import Settings
from nodelib.link import NodeState

PAGE = Path(__file__).parents[2] / "docs/engine.md"
REST_PAGE = PAGE.with_name("rest.md")


def coded() -> str:
    """Return what stands between backquotes and in code blocks of the two pages."""
    text = PAGE.read_text() + REST_PAGE.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])


def words_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Name every verb and option, but those that each has."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield str(name)
                yield from words_of(inner)
        else:
            yield from (option for option in action.option_strings if option.startswith("--"))


@pytest.mark.parametrize("word", sorted(set(words_of(make_parser())) - {"--help", "--verbose"}))
def test_every_verb_and_option_is_told(word: str) -> None:
    """What can be typed can be read about."""
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", coded()), word


@pytest.mark.parametrize("setting", [field.name for field in dataclasses.fields(Settings)])
def test_every_setting_is_told(setting: str) -> None:
    """What can be set can be read about."""
    assert f"`{setting}`" in PAGE.read_text()


@pytest.mark.parametrize("state", list(NodeState))
def test_every_state_is_told(state: NodeState) -> None:
    """What can be seen can be read about."""
    assert f"`{state}`" in PAGE.read_text()
