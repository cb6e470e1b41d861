"""Edits a file of others through augeas: only what is asked for changes, comments and order stay.

A program of its own, for augeas is needed seldom, and stays in the memory of whoever loads it. It is run as
`python3 -I augeas_program.py ADDRESS NAME`: a hosts file from standard input to standard output, in which
ADDRESS stands for NAME, and for its first part. It ends with 0, with NOT_UNDERSTOOD, or with 1 and a reason.
"""

import sys
import tempfile
from pathlib import Path

import augeas

HOSTS = "/files/etc/hosts"
NOT_UNDERSTOOD = 3


def main() -> int:
    """Edit what comes on standard input; returns the status."""
    address, name = sys.argv[1:]
    text = sys.stdin.buffer.read().decode(errors="replace")
    try:
        with tempfile.TemporaryDirectory(prefix="virtnode-augeas-") as folder:
            edited = edit_hosts(Path(folder), text, address, name)
    except (OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if edited is None:
        return NOT_UNDERSTOOD
    sys.stdout.buffer.write(edited.encode())
    return 0


def edit_hosts(folder: Path, text: str, address: str, name: str) -> str | None:
    """Return the text with the name in it; None for a text that is no hosts file. `folder` is for augeas."""
    hosts = folder / "etc/hosts"
    hosts.parent.mkdir()
    hosts.write_text(text if text.endswith("\n") or not text else f"{text}\n")
    tree = augeas.Augeas(root=str(folder), flags=augeas.Augeas.NO_MODL_AUTOLOAD)
    try:
        tree.set("/augeas/load/Hosts/lens", "Hosts.lns")
        tree.set("/augeas/load/Hosts/incl", "/etc/hosts")
        tree.load()
        if tree.match("/augeas/files/etc/hosts/error"):
            return None
        _set_names(tree, address, name)
        tree.save()
    finally:
        tree.close()
    # A file that was empty is an empty line to augeas.
    return hosts.read_text().removeprefix("" if text else "\n")


def _set_names(tree: augeas.Augeas, address: str, name: str) -> None:
    entries = tree.match(f"{HOSTS}/*[ipaddr = '{address}']")
    entry = entries[0] if entries else f"{HOSTS}/01"
    tree.set(f"{entry}/ipaddr", address)
    tree.set(f"{entry}/canonical", name)
    tree.remove(f"{entry}/alias")
    short = name.partition(".")[0]
    if short != name:
        # Before a comment at the line's end, which must stay last.
        tree.insert(f"{entry}/canonical", "alias", before=False)
        tree.set(f"{entry}/alias", short)


if __name__ == "__main__":
    sys.exit(main())
