"""The house rules: linters as tests, and documentation that keeps up with the program."""

import argparse
import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from image.kickstart_addon import DIRECTIVES
from image.main import make_parser
from nodelib.run import run

CHECKOUT = Path(__file__).parent.parent
PROGRAMS = ("nodelib", "image", "nodeagent", "engine", "tui")
LONGEST_FILE = 600
FOREIGN = ("pykickstart", "mako", "elftools", "pylorax", "libdnf5", "augeas", "tomli_w", "pyte")
"""Libraries whose way of thinking stays in one module each, or in one that is named after it."""


def tool(name: str) -> str:
    """Find a tool of the Python environment that runs the tests."""
    return str(Path(sys.executable).with_name(name))


def sources() -> list[Path]:
    """List the Python files that git knows or would take."""
    return [path for path in files_of_git("*.py") if path.exists()]


def files_of_git(pattern: str) -> list[Path]:
    """List the files below a folder, or of a pattern, that git knows or would take."""
    argv = ["git", "-C", str(CHECKOUT), "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    return [CHECKOUT / name for name in run(argv).stdout.splitlines()]


LINTERS = {
    "ruff": ("ruff", "check", "--no-cache"),
    "format": ("ruff", "format", "--check", "--no-cache"),
    "mypy": ("mypy",),
    "imports": ("lint-imports", "--no-cache"),
}


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_has_nothing_to_say(linter: str) -> None:
    """Style, layout, types and the rules of who imports whom hold everywhere."""
    name, *words = LINTERS[linter]
    done = subprocess.run([tool(name), *words], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_too_long() -> None:
    """A file that outgrows this is two nouns."""
    lengths = {str(path.relative_to(CHECKOUT)): len(path.read_text().splitlines()) for path in sources()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Walk the functions of a file."""
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))


def test_every_test_says_what_it_proves() -> None:
    """Each test has a docstring, and its name is not taken twice in a file."""
    for path in sources():
        if path.name.startswith("test_"):
            tests = [function for function in functions(path) if function.name.startswith("test_")]
            assert [test.name for test in tests if not ast.get_docstring(test)] == [], path
            assert len({test.name for test in tests}) == len(tests), path


def test_tests_neither_sleep_nor_replace_our_own_functions() -> None:
    """Conditions are waited for, and a double stands at a seam."""
    for path in sources():
        if path.is_relative_to(CHECKOUT / "tests") and path != Path(__file__):
            text = path.read_text()
            for word in (
                "unittest.mock",
                "MagicMock",
                "monkeypatch.setattr(image",
                "monkeypatch.setattr(node",
            ):
                assert word not in text, f"{path}: {word}"


def test_no_command_goes_through_a_shell() -> None:
    """Commands are lists."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert given.get("shell") != "True", path
                assert ast.unparse(node.func) not in ("os.system", "os.popen"), path


def imported(path: Path) -> set[str]:
    """Name the top-level modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("library", FOREIGN)
def test_a_foreign_library_stays_where_it_belongs(library: str) -> None:
    """At most one module of the programs imports each, however deep in the file."""
    users = [path for path in sources() if path.relative_to(CHECKOUT).parts[0] in PROGRAMS]
    users = [path for path in users if library in imported(path)]
    assert len({path.stem.partition("_")[0] for path in users}) <= 1, users


def test_every_package_is_installed() -> None:
    """A package and its data that pyproject.toml does not name would be missing after pip install."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent for path in sources() if path.name == "__init__.py"}
    packages = {".".join(folder.relative_to(CHECKOUT).parts) for folder in folders}
    assert {name for name in packages if name.split(".")[0] in PROGRAMS} == set(project["packages"])
    for name in PROGRAMS:
        patterns = project["package-data"].get(name, [])
        known = {path for pattern in patterns for path in (CHECKOUT / name).glob(pattern)}
        files = {path for path in files_of_git(name) if path.suffix != ".py"}
        assert {path for path in files if path.exists()} - known == set()


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Name virtnode-image's verbs."""
    for action in make_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("there are no verbs")


def documentation() -> str:
    """Read the README and everything in docs/."""
    paths = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
    return "\n".join(path.read_text() for path in paths if path.exists())


@pytest.mark.parametrize("verb", verbs())
def test_every_verb_is_documented(verb: str) -> None:
    """A verb that no document shows would be found by nobody."""
    assert f"virtnode-image {verb}" in documentation()


@pytest.mark.parametrize(
    "option",
    sorted(
        {name for action in verbs()["build"]._actions for name in action.option_strings} - {"-h", "--help"}
    ),
)
def test_every_option_of_build_is_documented(option: str) -> None:
    """Each option of a build stands in a document."""
    assert option in documentation()


@pytest.mark.parametrize("directive", sorted(DIRECTIVES))
def test_every_directive_of_the_addon_is_documented(directive: str) -> None:
    """What kickstart itself has no word for is explained."""
    assert directive in documentation()
