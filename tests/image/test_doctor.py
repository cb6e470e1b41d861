"""What a host lacks, by group, and which packages bring it."""

from pathlib import Path

import pytest

from image.bases.debian import KEYRING
from image.doctor import GROUPS, Tool, _is_there, find_missing, packages_of
from image.plan import CHECKOUT


def nothing(name: str) -> None:
    """Find no program."""


def test_a_bare_host_lacks_every_program() -> None:
    """Where nothing is found, all programs are missing."""
    assert find_missing("any", nothing) == GROUPS["any"]


def test_a_complete_host_lacks_none() -> None:
    """Where everything is found, nothing is missing."""
    assert find_missing("any", lambda name: f"/usr/bin/{name}") == ()


def test_a_tool_with_a_slash_is_a_file() -> None:
    """Debian's keyring is looked for as a file, where the Debian base looks."""
    files = [tool.name for tool in GROUPS["debian"] if tool.name.startswith("/")]
    assert files == [str(KEYRING)]


def test_of_some_names_one_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file whose path has a part that varies, or a program; neither is a tool that is missing."""
    tool = Tool(f"{tmp_path}/*/bin/initdb or initdb", "keeps data", "postgresql", "postgresql-server")
    monkeypatch.setitem(GROUPS, "any", (tool,))
    assert find_missing("any", nothing) == (tool,)
    assert find_missing("any", lambda name: f"/usr/bin/{name}") == ()
    (tmp_path / "15/bin").mkdir(parents=True)
    (tmp_path / "15/bin/initdb").touch()
    assert find_missing("any", nothing) == ()


def test_a_module_is_looked_for_in_this_python() -> None:
    """A binding that only the distribution has is a package to install like any other."""
    names = {tool.name for tool in GROUPS["test"] if tool.name.startswith("import ")}
    assert "import dbus" in names
    assert _is_there("import json", nothing)
    assert not _is_there("import no_such_module_here", nothing)


@pytest.mark.parametrize("family", ["debian", "fedora"])
def test_packages_are_named_once(family: str) -> None:
    """A package that brings two tools is asked for once, in order."""
    names = packages_of(GROUPS["any"], family)
    assert names == sorted(set(names))


def test_every_tool_says_its_purpose() -> None:
    """A purpose continues the sentence "the tool ..."."""
    for tools in GROUPS.values():
        for tool in tools:
            assert tool.purpose.split()[0].endswith("s")
            assert tool.debian
            assert tool.fedora


def test_every_program_that_the_builder_runs_is_listed() -> None:
    """A command in the builder's source is known to doctor, or part of every system."""
    everywhere = {"cp", "env", "mmd", "ldconfig", "apt-get", "dpkg-deb", "dracut", "depmod", "systemctl"}
    known = {tool.name for tools in GROUPS.values() for tool in tools} | everywhere
    for path in sorted((CHECKOUT / "image/media").glob("*.py")):
        for line in path.read_text().splitlines():
            if "run([" in line and '"' in line:
                program = line.partition('run(["')[2].partition('"')[0]
                assert not program or program in known, f"{path.name}: {program}"


def test_the_checkout_is_where_the_tests_are() -> None:
    """The builder works from the checkout that is tested."""
    assert Path(__file__).is_relative_to(CHECKOUT)
