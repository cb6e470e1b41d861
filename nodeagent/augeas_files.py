"""Files of others, edited through augeas: only what is asked for changes, comments and order stay."""

import tempfile
from pathlib import Path

import augeas

from nodelib.errors import Code, VirtnodeError

HOSTS = "/files/etc/hosts"


def name_in_hosts(text: str, address: str, name: str) -> str:
    """Return the text of a hosts file in which `address` stands for `name`, and for its first part."""
    with tempfile.TemporaryDirectory(prefix="virtnode-augeas-") as folder:
        hosts = Path(folder, "etc/hosts")
        hosts.parent.mkdir()
        hosts.write_text(text if text.endswith("\n") or not text else f"{text}\n")
        tree = augeas.Augeas(root=folder, flags=augeas.Augeas.NO_MODL_AUTOLOAD)
        try:
            tree.set("/augeas/load/Hosts/lens", "Hosts.lns")
            tree.set("/augeas/load/Hosts/incl", "/etc/hosts")
            tree.load()
            if tree.match("/augeas/files/etc/hosts/error"):
                raise VirtnodeError(
                    Code.CONFLICT, "/etc/hosts cannot be understood", "look for a line that is broken"
                )
            _set_names(tree, address, name)
            tree.save()
        except (OSError, RuntimeError, ValueError) as error:
            raise VirtnodeError(Code.FAILED, f"augeas cannot edit /etc/hosts: {error}") from error
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
