"""Commands as a page of the documentation has them, with the names of the machine at hand."""

import re
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# .*")


def recipe(page: str, beginning: str, names: Mapping[str, str] | None = None) -> str:
    """Return the line of a page's blocks that is this, or the one that begins so, each name replaced."""
    lines = [
        COMMENT.sub("", line)
        for block in BLOCK.findall((DOCS / page).read_text())
        for line in block.replace("\\\n", " ").splitlines()
    ]
    words = dict.fromkeys(" ".join(line.split()) for line in lines)
    found = [line for line in words if line.startswith(beginning)]
    assert beginning in found or len(found) == 1, f"{page} has {found} for {beginning}"
    line = beginning if beginning in found else found[0]
    for name, here in (names or {}).items():
        assert name in line, f"{line} has no {name}"
        line = line.replace(name, here)
    return line
