"""The `node.*` arguments of the kernel's command line, as tables of `node.toml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from nodeagent.intent import BootArguments
from nodeagent.intent_check import read_intent
from nodeagent.intent_forms import is_url

ARGUMENT = re.compile(r'(?:"[^"]*"|[^\s"])+')
ENGINE_KEYS = {"node.engine": "address", "node.ca": "ca", "node.token": "token"}
"""Arguments that are keys of [engine]."""
BOOT_ARGUMENTS = (
    "node.config",
    "node.console",
    "node.stateless",
    "node.install",
    "node.survey",
    "node.state",
    "node.trial",
    "node.trial_seconds",
)
KNOWN = (*ENGINE_KEYS, *BOOT_ARGUMENTS)


@dataclass(frozen=True)
class KernelArguments:
    """What the command line says of the node; what is wrong of it is left out."""

    document: dict[str, object]
    boot: BootArguments
    problems: tuple[str, ...]


def read_kernel_arguments(cmdline: str) -> KernelArguments:
    """Read the command line; of an argument given twice the last counts, and `node.ca` may repeat."""
    pairs = [word.replace('"', "").partition("=")[::2] for word in ARGUMENT.findall(cmdline)]
    pairs = [(name, value) for name, value in pairs if name.startswith("node.")]
    problems = [
        f"kernel argument {name}: unknown; known are {', '.join(KNOWN)}"
        for name, _ in pairs
        if name not in KNOWN
    ]
    given = dict(pairs)
    engine: dict[str, object] = {ENGINE_KEYS[name]: given[name] for name in ENGINE_KEYS if given.get(name)}
    pins = [pin for name, value in pairs if name == "node.ca" for pin in value.split(",") if pin]
    if pins:
        engine["ca"] = pins
    problems += _drop_wrong(engine)
    boot, boot_problems = _read_boot(given)
    return KernelArguments({"engine": engine} if engine else {}, boot, (*problems, *boot_problems))


def _drop_wrong(engine: dict[str, object]) -> list[str]:
    """Take wrong values out of the table, and say which."""
    names = {key: name for name, key in ENGINE_KEYS.items()}
    found = read_intent({"engine": engine})[1]
    for problem in found:
        engine.pop(str(problem.path[1]), None)
    return [f"kernel argument {names[str(problem.path[1])]}: {problem.text}" for problem in found]


def _read_boot(given: Mapping[str, str]) -> tuple[BootArguments, list[str]]:
    problems = []
    urls = {name: given.get(name, "") for name in ("node.config", "node.survey")}
    for name, url in urls.items():
        if url and not is_url(url, ("http", "https"), path=True, query=True):
            problems.append(
                f"kernel argument {name}: the value is wrong; allowed: http:// or https:// and a host"
            )
            urls[name] = ""
    stateless = given.get("node.stateless", "0")
    if stateless not in ("", "0", "1"):
        problems.append(f"kernel argument node.stateless: {stateless} is wrong; allowed: nothing, 0 or 1")
        stateless = "0"
    boot = BootArguments(
        config_url=urls["node.config"],
        console=given.get("node.console", ""),
        stateless=stateless != "0",
        install=given.get("node.install", ""),
        survey_url=urls["node.survey"],
    )
    return boot, problems
