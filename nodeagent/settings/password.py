"""The administrator's password: one field of /etc/shadow, and what the image had there while ours is in."""

import base64
from collections.abc import Iterator, Sequence

from nodeagent.changes import Change, FileState
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted, like
from nodeagent.tree_files import ABSENT, TreeFiles, text_file

ACCOUNT = "admin"
SHADOW = "etc/shadow"
KEPT = "run/virtnode/original/admin-password"
"""What the image has in the field, as volatile as /etc is."""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want the hash in the account's line; every other line stays as it is."""
    present = read_hash(tree)
    if present is None:
        return
    ours = intent.access.password
    if ours:
        if not tree.exists(KEPT) and present != ours:
            yield Wanted(KEPT, text_file(present, 0o600), secret=True)
        yield _shadow(tree, ours, "the administrator's password")
    elif tree.exists(KEPT):
        yield _shadow(tree, tree.text(KEPT), "the administrator's password as the image has it")
        yield Wanted(KEPT, ABSENT, secret=True)


def _shadow(tree: TreeFiles, field: str, text: str) -> Wanted:
    state = tree.state(SHADOW)
    lines = []
    for line in state.data.decode(errors="surrogateescape").splitlines(keepends=True):
        name, _, rest = line.partition(":")
        lines.append(f"{name}:{field}:{rest.partition(':')[2]}" if name == ACCOUNT else line)
    data = "".join(lines).encode(errors="surrogateescape")
    changed = FileState(content=base64.b64encode(data).decode())
    return Wanted(SHADOW, like(state, changed), text, secret=True)


def read_hash(tree: TreeFiles) -> str | None:
    """Return the field of the account's password; None without the account."""
    for line in tree.text(SHADOW).splitlines():
        fields = line.split(":")
        if fields[0] == ACCOUNT and len(fields) > 1:
            return fields[1]
    return None


def has_password(tree: TreeFiles) -> bool:
    """Tell whether the account has a password that could be given: neither none, nor a locked one."""
    return (read_hash(tree) or "").startswith("$")


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that there is no account to have a password."""
    if intent.access.password and read_hash(tree) is None:
        yield f"access.password: this image has no account {ACCOUNT}"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Do nothing: whoever checks a password reads the file."""


SETTING = Setting("password", wanted, act, missing)
