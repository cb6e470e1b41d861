"""An archive for whoever helps: what the node is, says and does, and no secret."""

import io
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from nodeagent.facts.sources import Command, read_text
from nodelib.bus import ConfigView, LadderReply, Status
from nodelib.codec import to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Ladder

COMMANDS: Mapping[str, Sequence[str]] = {
    "journal.txt": ("journalctl", "--boot", "--no-pager", "--output=short-iso", "--lines=20000"),
    "units.txt": ("systemctl", "list-units", "--all", "--no-pager"),
    "networkctl.txt": ("networkctl", "status", "--all", "--no-pager"),
    "addresses.txt": ("ip", "-details", "address", "show"),
    "routes.txt": ("ip", "route", "show", "table", "all"),
    "neighbours.txt": ("ip", "neighbour", "show"),
    "resolvectl.txt": ("resolvectl", "status", "--no-pager"),
    "firewall.txt": ("nft", "list", "ruleset"),
    "chrony.txt": ("chronyc", "-n", "sources"),
    "disks.txt": ("lsblk", "--output", "NAME,TYPE,SIZE,FSTYPE,LABEL,MOUNTPOINTS,MODEL"),
    "libvirt-guests.txt": ("virsh", "--readonly", "list", "--all"),
    "libvirt-capabilities.xml": ("virsh", "--readonly", "capabilities"),
}
FILES = ("proc/cmdline", "proc/meminfo", "usr/lib/os-release", "run/virtnode/state.json")
HIDDEN = "(hidden)"
SECRET_WORDS = re.compile(
    r"""(?ix)
    (?P<keep>
        (?<![\w.-]) [\w.-]* (?: token|password|passwd|passphrase|passkey|secret|psk|private_?key ) [\w-]* \b
        ["']? \s* [=:] \s*
    )
    (?P<secret> "[^"\n]*" | '[^'\n]*' | \S+ )
    """
)
SECRET_SHAPES = (
    re.compile(r"vnt_[A-Za-z0-9]+"),
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\$[0-9a-z]{1,2}\$[./A-Za-z0-9$=,]+"),
    re.compile(r"(?i)(?<=authorization: )\S+ \S+"),
    re.compile(r"(?<=--token )\S+|(?<=--password )\S+"),
)
"""Join tokens, user and password in a URL, private keys, hashed passwords, HTTP's, and those of commands."""
SHORTEST_PART = 4
"""Letters of a password that is looked for by itself; a shorter one would take half a text along."""


def with_parts(secrets: Sequence[str]) -> tuple[str, ...]:
    """Add the user's password of each URL to some secrets: programs complain of that alone, too."""
    found = list(secrets)
    for secret in secrets:
        login, at, _ = secret.partition("://")[2].rpartition("@")
        password = login.partition(":")[2]
        if at and len(password) >= SHORTEST_PART:
            found += [password, unquote(password)]
    return tuple(dict.fromkeys(found))


def hide(text: str, known: Sequence[str] = ()) -> str:
    """Take secrets out of a text: those that are known, and whatever is named or looks like one."""
    for secret in sorted(filter(None, known), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for shape in SECRET_SHAPES:
        text = shape.sub(HIDDEN, text)
    return SECRET_WORDS.sub(lambda match: f"{match['keep']}{HIDDEN}", text)


def collect_support(
    root: Path,
    status: Status,
    facts: Facts,
    ladder: Ladder,
    config: ConfigView,
    *,
    secrets: Sequence[str] = (),
    command: Command,
) -> dict[str, str]:
    """Collect the archive's files by name; `secrets` are values that must be in none of them."""
    files = {
        "status.json": to_json(status),
        "facts.json": to_json(facts),
        "ladder.json": to_json(LadderReply(ladder)),
        "config.json": to_json(config),
    }
    files |= {path.replace("/", "-"): read_text(root / path) for path in FILES}
    files |= {name: command(argv) for name, argv in COMMANDS.items()}
    return {name: hide(text, secrets) for name, text in files.items()}


def write_support(folder: Path, hostname: str, now: float, files: Mapping[str, str]) -> Path:
    """Write the archive, which only root reads; raises VirtnodeError where it cannot be written."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    safe_name = re.sub(r"[^A-Za-z0-9.-]", "-", hostname) or "node"
    stem = f"virtnode-support-{safe_name}-{stamp}"
    path = folder / f"{stem}.tar.gz"
    try:
        with path.open("xb") as file:
            path.chmod(0o600)
            # Seldom needed, and an agent is there all the time.
            import tarfile

            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                for name, text in sorted(files.items()):
                    data = text.encode()
                    entry = tarfile.TarInfo(f"{stem}/{name}")
                    entry.size, entry.mode, entry.mtime = len(data), 0o600, int(now)
                    archive.addfile(entry, io.BytesIO(data))
    except OSError as error:
        raise VirtnodeError(
            Code.FAILED, f"the archive cannot be written: {error}", "name another folder with --to"
        ) from error
    return path
