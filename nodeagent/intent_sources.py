"""Where an intent comes from: seven sources, the later ones winning key by key."""

import copy
import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nodeagent.intent import VERSION, Intent, LoadedIntent
from nodeagent.intent_check import read_intent
from nodeagent.intent_versions import migrate, version_problem
from nodeagent.kernel_arguments import read_kernel_arguments
from nodeagent.problems import Problem
from nodeagent.toml_lines import find_line
from nodelib.errors import InvalidInput

BUILT_IN: Mapping[str, object] = {"version": VERSION}
IMAGE = "usr/lib/virtnode/node.toml"
EMBEDDED = "run/virtnode/embedded.toml"
MEDIUM = "run/virtnode/medium.toml"
FETCHED = "var/lib/virtnode/fetched.toml"
"""The document of `node.config`, as it was fetched last; its first line names the URL, and counts."""
CONFIG_URL = "var/lib/virtnode/config-url"
"""The URL that a DHCP server named, once its document was fetched; for when no kernel argument names one."""
STATE = "var/lib/virtnode/node.toml"
GOOD_STATE = "var/lib/virtnode/node.toml.good"
"""A copy of the state as the agent last wrote it, for when somebody breaks the state by hand."""
KERNEL = "kernel arguments"


@dataclass(frozen=True)
class Source:
    """One source: its name, its tables, and its text where it has lines."""

    name: str
    document: Mapping[str, object]
    text: str = ""

    def line(self, problem: Problem) -> str:
        """Say a problem with its place in this source."""
        if not self.text:
            return f"{self.name}: {problem.line}"
        return f"{self.name}:{find_line(self.text, problem.path)}: {problem.line}"


def load_intent(root: Path, cmdline: str) -> LoadedIntent:
    """Read all sources; a bad one is left out whole, so that the ones before it stay in force."""
    below = _load_below(root, cmdline)
    problems = list(below.problems)
    for source in _read_files(root, (STATE, GOOD_STATE), problems):
        found = _lay_over(below, source)
        if isinstance(found, LoadedIntent):
            return replace(found, problems=tuple(problems))
        problems += found
    return replace(below, problems=tuple(problems))


def load_with_state(root: Path, cmdline: str, state: Mapping[str, object], name: str) -> LoadedIntent:
    """Read all sources as if `state` were what the state file says.

    Raises InvalidInput with everything that is wrong with it, each line beginning with `name`.
    """
    found = _lay_over(_load_below(root, cmdline), Source(name, state))
    if not isinstance(found, LoadedIntent):
        raise InvalidInput(found, "see docs/node-toml.md")
    return found


def load_state(root: Path) -> dict[str, object]:
    """Read what a person or the engine decided so far: the state, or its last good copy if it is broken."""
    ignored: list[str] = []
    for source in _read_files(root, (STATE, GOOD_STATE), ignored):
        return dict(source.document)
    return {}


def find_asked(loaded: LoadedIntent) -> tuple[str, ...]:
    """Name the keys that a person shall be asked for, and that nobody answered, at the node or at boot."""
    prepared = {"", "built-in", *(f"/{path}" for path in (IMAGE, EMBEDDED, MEDIUM, FETCHED))}
    return tuple(key for key in loaded.intent.ask if loaded.origins.get(key, "") in prepared)


def is_state_broken(root: Path) -> bool:
    """Tell whether there is a state file that cannot be read."""
    problems: list[str] = []
    next(_read_files(root, (STATE,), problems), None)
    return bool(problems)


def _load_below(root: Path, cmdline: str) -> LoadedIntent:
    """Read every source that comes before the state."""
    arguments = read_kernel_arguments(cmdline)
    problems: list[str] = []
    loaded = LoadedIntent(
        Intent(), dict(BUILT_IN), dict.fromkeys(leaf_keys(BUILT_IN), "built-in"), boot=arguments.boot
    )
    sources = [
        *_read_files(root, (IMAGE,), problems),
        *_read_files(root, (EMBEDDED,), problems),
        *_read_files(root, (MEDIUM,), problems),
        *_read_fetched(root, arguments.boot.config_url, problems),
        Source(KERNEL, arguments.document),
    ]
    for source in sources:
        found = _lay_over(loaded, source)
        if isinstance(found, LoadedIntent):
            loaded = found
        else:
            problems += found
    return replace(loaded, problems=(*problems, *arguments.problems))


def _lay_over(loaded: LoadedIntent, source: Source) -> LoadedIntent | list[str]:
    """Lay one more source over those before it, or say what of it is wrong."""
    document = merge(loaded.document, source.document)
    intent, problems = read_intent(document)
    if problems:
        return [source.line(problem) for problem in problems]
    origins = loaded.origins | dict.fromkeys(leaf_keys(source.document), source.name)
    known = set(leaf_keys(document))
    origins = {key: origin for key, origin in origins.items() if key in known}
    return replace(loaded, intent=intent, document=document, origins=origins)


def _read_files(root: Path, paths: tuple[str, ...], problems: list[str]) -> Iterator[Source]:
    """Read the files that are there, the first choice first; what is wrong with one is added to problems."""
    for path in paths:
        try:
            text = (root / path).read_bytes().decode()
            yield Source(f"/{path}", parse_node_toml(text, f"/{path}"), text)
        except FileNotFoundError:
            # A state that is not there was not broken by anybody: a person took it away.
            return
        except InvalidInput as error:
            problems += error.problems
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"/{path}: cannot be read: {error}")


def _read_fetched(root: Path, url: str, problems: list[str]) -> Iterator[Source]:
    """Read what was fetched, if that was from the URL that this boot is about."""
    wanted = url or read_config_url(root)
    if wanted:
        for source in _read_files(root, (FETCHED,), problems):
            if _is_from(source.text, wanted):
                yield source


def has_fetched(root: Path, url: str) -> bool:
    """Tell whether what was fetched last came from this URL."""
    try:
        return _is_from((root / FETCHED).read_bytes().decode(), url)
    except (OSError, UnicodeDecodeError):
        return False


def _is_from(text: str, url: str) -> bool:
    return text.partition("\n")[0] == fetched_mark(url)


def read_config_url(root: Path) -> str:
    """Read the URL that a DHCP server named; empty where none did, or where a medium speaks in its place."""
    if any((root / path).exists() for path in (EMBEDDED, MEDIUM)):
        return ""
    try:
        return (root / CONFIG_URL).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def fetched_mark(url: str) -> str:
    """Make the first line of a fetched document: whoever reads it learns no password of a URL."""
    return f"# Fetched by node.config {hashlib.sha256(url.encode()).hexdigest()}"


def parse_node_toml(text: str, name: str) -> dict[str, object]:
    """Read the text of a `node.toml` into tables of the present version.

    Raises InvalidInput with everything that is wrong, each with `name` and line.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput([_syntax_line(str(error), name)], "see docs/node-toml.md") from error
    problem = version_problem(document)
    found = [problem] if problem else list(read_intent(migrate(document))[1])
    if found:
        source = Source(name, document, text)
        found.sort(key=lambda one: find_line(text, one.path))
        raise InvalidInput([source.line(one) for one in found], "see docs/node-toml.md")
    return migrate(document)


def lay_document(document: Mapping[str, object], source: Source) -> dict[str, object]:
    """Lay a source over tables that are right; raises InvalidInput with all that is wrong then."""
    merged = merge(document, source.document)
    problems = read_intent(merged)[1]
    if problems:
        raise InvalidInput([source.line(one) for one in problems], "see docs/node-toml.md")
    return merged


def _syntax_line(message: str, name: str) -> str:
    what, _, where = message.partition(" (at ")
    words = where.rstrip(")").replace(",", "").split()
    return f"{name}:{words[1] if words[:1] == ['line'] else 1}: no TOML: {what}"


def merge(document: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Lay a patch over tables, key by key; a list is replaced whole, and None takes a key away."""
    merged = copy.deepcopy(dict(document))
    for name, value in patch.items():
        present = merged.get(name)
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge(present if isinstance(present, dict) else {}, value)
        else:
            merged[name] = copy.deepcopy(value)
    return {name: value for name, value in merged.items() if value != {}}


def leaf_keys(document: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """Name every key that has a value, dotted."""
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from leaf_keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
