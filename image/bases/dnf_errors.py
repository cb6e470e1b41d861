"""What dnf 4 and dnf 5 say when an installation fails, and what we say instead."""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodelib.errors import Code, VirtnodeError
from nodelib.run import Result, command_error

ListNames = Callable[[], Sequence[str]]
"""Answers with the names of all packages on offer; asked only when a name is unknown."""

SCRIPTLET = re.compile(r"%(\w+)\(([^)]+)\) scriptlet failed, (.+)")
UNKNOWN_NAME = re.compile(
    r"No match for argument: @?(?P<name>\S+)$|Module or Group '(?P<group>\S+)' is not available|"
    r"No match for group (?:package )?\"(?P<member>\S+)\""
)
NAMES_TOLD = 5
"""How many of the things that are wrong one message names."""


@dataclass(frozen=True)
class Symptom:
    """A line by which a failure is recognised: what it captures is what the failure is about."""

    patterns: tuple[str, ...]
    code: Code
    message: str
    hint: str


SYMPTOMS = (
    Symptom(
        patterns=(
            r"At least (?P<subject>\S+) more space needed on",
            r"needs (?P<subject>\S+) more space on the",
            r"(?P<subject>)No space left on device",
        ),
        code=Code.FAILED,
        message="the disk is full: {subject} more needed",
        hint="free some space, or point the working directory elsewhere",
    ),
    Symptom(
        patterns=(
            r"Failed to download metadata for repo '(?P<subject>[^']+)'",
            r'Failed to download metadata \(.*\) for repository "(?P<subject>[^"]+)"',
        ),
        code=Code.UNAVAILABLE,
        message="repository {subject} cannot be read",
        hint="check its address in the kickstart, and the network",
    ),
    Symptom(
        patterns=(
            r"Package (?P<subject>\S+)\.rpm is not signed",
            r'OpenPGP check for package "(?P<subject>[^"]+)".*The package is not signed',
        ),
        code=Code.DENIED,
        message="not signed: {subject}",
        hint="install signed packages only, or sign the repository with a key that the kickstart names",
    ),
    Symptom(
        patterns=(
            r"Failing package is: (?P<subject>\S+)",
            r"Public key for (?P<subject>\S+)\.rpm is not installed",
            r'OpenPGP check for package "(?P<subject>[^"]+)".*(?:wrong key|key is not)',
        ),
        code=Code.DENIED,
        message="signed with a key that is not trusted: {subject}",
        hint="name the key of this repository in the kickstart (gpgkey)",
    ),
    Symptom(
        patterns=(
            r'Package "(?P<subject>[^"]+)" from local repository .* has incorrect checksum',
            r"Problem opening package (?P<subject>\S+)\.rpm",
            r'OpenPGP check for package "(?P<subject>[^"]+)".*Problem occurred when opening',
            r"(?P<subject>[^\s/]+)\.rpm: Downloading successful, but checksum doesn't match",
            r"Downloading successful, but checksum doesn't match.*/(?P<subject>[^\s/]+)\.rpm",
        ),
        code=Code.DENIED,
        message="damaged or altered after signing: {subject}",
        hint="the repository's copy cannot be trusted: use another mirror",
    ),
    Symptom(
        patterns=(
            r"Cannot download (?P<subject>\S+?)(?:\.rpm)?: All mirrors were tried",
            r"(?P<subject>[^\s/]+)\.rpm: Cannot download",
        ),
        code=Code.UNAVAILABLE,
        message="cannot be downloaded: {subject}",
        hint="try again: a mirror may be changing now",
    ),
    Symptom(
        patterns=(
            r"All matches were filtered out by exclude filtering for argument: (?P<subject>\S+)",
            r"Argument '(?P<subject>[^']+)' matches only excluded packages",
        ),
        code=Code.INVALID,
        message="both asked for and excluded: {subject}",
        hint="remove one of the two lines in %packages",
    ),
    Symptom(
        patterns=(r"- (?P<subject>nothing provides .+ needed by \S+)",),
        code=Code.NOT_FOUND,
        message="the packages do not fit together: {subject}",
        hint="is a repository missing, or a package excluded that another needs?",
    ),
    Symptom(
        patterns=(
            r"- (?P<subject>package .+ (?:conflicts with|obsoletes|requires) .+)",
            r"(?P<subject>file \S+ (?:conflicts|from install of) .+)",
        ),
        code=Code.CONFLICT,
        message="the packages do not fit together: {subject}",
        hint="is a package excluded that another needs?",
    ),
)


def explain_failure(result: Result, list_names: ListNames) -> VirtnodeError | None:
    """Say what went wrong in one dnf run, or None when nothing did.

    A failing scriptlet counts even where dnf, as version 4 does, ends with status 0.
    """
    lines = result.stderr.splitlines()
    failure = _explain_scriptlets(lines)
    if failure is not None or result.status == 0:
        return failure
    return _explain_unknown_names(lines, list_names) or _explain_symptom(lines) or command_error(result)


def _explain_scriptlets(lines: Sequence[str]) -> VirtnodeError | None:
    failed = [(index, match) for index, line in enumerate(lines) if (match := SCRIPTLET.search(line))]
    if not failed:
        return None
    told = [f"%{match[1]} of {match[2]} ({match[3].strip()})" for _, match in failed]
    index = failed[0][0]
    around = " / ".join(line.strip(" >") for line in lines[max(0, index - 2) : index + 3])
    message = f"scriptlet failed: {_enumerate(told)}"
    return VirtnodeError(Code.FAILED, message, f"around it dnf said: {around}")


def _explain_unknown_names(lines: Sequence[str], list_names: ListNames) -> VirtnodeError | None:
    found = [match[match.lastgroup or 0] for line in lines if (match := UNKNOWN_NAME.search(line))]
    if not found:
        return None
    names = list_names()
    told = [_with_nearest(name, names) for name in dict.fromkeys(found)]
    message = f"no such package: {_enumerate(told)}"
    return VirtnodeError(Code.INVALID, message, "correct the name in %packages")


def _with_nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"{name} (there is {near[0]})" if near else name


def _explain_symptom(lines: Sequence[str]) -> VirtnodeError | None:
    for symptom in SYMPTOMS:
        matches = (re.search(pattern, line) for line in lines for pattern in symptom.patterns)
        found = [match["subject"] for match in matches if match]
        if found:
            message = symptom.message.format(subject=_enumerate(found))
            return VirtnodeError(symptom.code, message, symptom.hint)
    return None


def _enumerate(subjects: Sequence[str]) -> str:
    unique = list(dict.fromkeys(subject for subject in subjects if subject)) or ["some"]
    more = f" and {len(unique) - NAMES_TOLD} more" if len(unique) > NAMES_TOLD else ""
    return ", ".join(unique[:NAMES_TOLD]) + more
