"""Debian's versions and dependencies in RPM's words."""

import re

OPERATORS = {"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">"}
TERM = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9+.-]*)(?::\w+)?(?:\s*\((?P<operator><<|<=|=|>=|>>)\s*(?P<version>\S+)\))?"
)


def split_version(version: str) -> tuple[str, str, str]:
    """Split a Debian version into RPM's epoch, version and release; what is absent is empty."""
    epoch, _, rest = version.rpartition(":")
    upstream, _, revision = rest.rpartition("-")
    return epoch, (upstream or revision).replace("-", "."), revision if upstream else ""


def convert_version(version: str) -> str:
    """Write a Debian version the way a dependency of an RPM does."""
    epoch, upstream, revision = split_version(version)
    return (f"{epoch}:" if epoch else "") + upstream + (f"-{revision}" if revision else "")


def convert_relations(field: str) -> list[str]:
    """Turn a Depends or Provides field into capabilities; alternatives become RPM's `(a or b)`."""
    groups = [group.strip() for group in field.replace("\n", " ").split(",")]
    return [_convert_group(group) for group in groups if group]


def _convert_group(group: str) -> str:
    alternatives = [_convert_term(term.strip()) for term in group.split("|")]
    return alternatives[0] if len(alternatives) == 1 else f"({' or '.join(alternatives)})"


def _convert_term(term: str) -> str:
    match = TERM.match(term)
    if match is None:
        raise ValueError(f"{term!r} is no dependency")
    if match["operator"] is None:
        return match["name"]
    operator = OPERATORS[match["operator"]]
    if operator == ">" and "-" not in match["version"]:
        # 2.41-12 comes after 2.41 in Debian; RPM takes a version without release for any release of it.
        operator = ">="
    return f"{match['name']} {operator} {convert_version(match['version'])}"
