"""A command that writes down how it was called, and does what a test wants it to."""

import json
import sys
from pathlib import Path

SCRIPT = """#!{python} -I
import json, pathlib, sys
folder = pathlib.Path({folder!r})
words = sys.argv[1:]
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
for rule in json.loads((folder / "rules").read_text()):
    if rule["when"] in words:
        for path, text in rule["files"].items():
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(path).write_text(text)
        sys.stdout.write(rule["out"])
        sys.stderr.write(rule["errors"])
        sys.exit(rule["status"])
"""


class FakeCommand:
    """A program in a folder that a test puts on PATH."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / f"{name}.d"
        self._folder.mkdir(parents=True)
        self._rules: list[dict[str, object]] = []
        self._write()
        program = folder / name
        program.write_text(SCRIPT.format(python=sys.executable, folder=str(self._folder)))
        program.chmod(0o755)

    def on(
        self,
        word: str,
        status: int = 0,
        out: str = "",
        errors: str = "",
        files: dict[str, str] | None = None,
    ) -> None:
        """Do this from now on when a word is among the arguments; the newest rule that fits counts."""
        rule = {"when": word, "status": status, "out": out, "errors": errors, "files": files or {}}
        self._rules.insert(0, rule)
        self._write()

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        path = self._folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _write(self) -> None:
        (self._folder / "rules").write_text(json.dumps(self._rules))
