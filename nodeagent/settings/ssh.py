"""SSH: whether it runs, and the keys that the intent lets in beside those of the image."""

from collections.abc import Iterator, Sequence

from nodeagent.changes import Change
from nodeagent.intent import Intent
from nodeagent.services import Services
from nodeagent.settings.setting import Setting, Wanted
from nodeagent.tree_files import ABSENT, TreeFiles, symlink, text_file

ACCOUNTS = "root,admin"
KEYS = "etc/virtnode/ssh_keys"
"""For everybody to read: the server looks for keys with the rights of whoever logs in."""
DROP_IN = "etc/ssh/sshd_config.d/50-virtnode.conf"
DROP_IN_TEXT = f"""\
# Keys of the node's intent. Those of the image stay in each account's own file.
Match User {ACCOUNTS}
    AuthorizedKeysFile .ssh/authorized_keys /{KEYS}
"""
UNITS = "etc/systemd/system"
AUTOMATIC = "run/virtnode/ssh-automatic"
"""Names the server that comes up while something is wrong; virtnode-agent.service reads it when we die."""
SERVERS = ("ssh.service", "sshd.service")
"""Debian's and Fedora's; whichever the image has."""


def wanted(intent: Intent, tree: TreeFiles) -> Iterator[Wanted]:
    """Want keys in a file of ours, and the server started, masked, or as the image has it."""
    keys = intent.access.ssh_keys
    text = "".join(f"{key}\n" for key in keys)
    yield Wanted(KEYS, text_file(text) if keys else ABSENT, told(len(keys)))
    yield Wanted(DROP_IN, text_file(DROP_IN_TEXT) if keys else ABSENT)
    choice = intent.access.ssh
    server = server_unit(tree)
    if not server:
        return
    mask, start = f"{UNITS}/{server}", f"{UNITS}/multi-user.target.wants/{server}"
    if choice == "off":
        yield Wanted(mask, symlink("/dev/null"), "SSH off")
    elif tree.state(mask).content == "/dev/null":
        yield Wanted(mask, ABSENT, "SSH no longer off")
    ours = "../../../../usr/lib/systemd/system/" + server
    if choice == "on" and not tree.exists(start):
        yield Wanted(start, symlink(ours), "SSH on")
    elif choice != "on" and tree.state(start).content == ours:
        yield Wanted(start, ABSENT, "SSH as the image has it")
    if choice == "automatic":
        yield Wanted(AUTOMATIC, text_file(f"{server}\n"), "SSH while something is wrong with the node")
    elif tree.exists(AUTOMATIC):
        yield Wanted(AUTOMATIC, ABSENT, "SSH no longer as the node fares")


def told(count: int) -> str:
    """Say in a person's words how many keys the intent lets in."""
    if count == 0:
        return "no SSH key may log in but those of the image"
    return f"{count} SSH {'key' if count == 1 else 'keys'} may log in"


def server_unit(tree: TreeFiles) -> str:
    """Name the unit of the image's SSH server; empty without one."""
    return next((name for name in SERVERS if tree.exists(f"usr/lib/systemd/system/{name}")), "")


def missing(intent: Intent, tree: TreeFiles) -> Iterator[str]:
    """Say that there is no SSH server to start."""
    if intent.access.ssh in ("on", "automatic") and not server_unit(tree):
        yield "access.ssh: this image has no SSH server"


def act(services: Services, tree: TreeFiles, changes: Sequence[Change]) -> None:
    """Start, stop or reload the server, as its links say now; sessions that are open stay open."""
    server = server_unit(tree)
    if not server:
        return
    if any(change.path.startswith(f"{UNITS}/") for change in changes):
        services.reload_units()
    if tree.state(f"{UNITS}/{server}").content == "/dev/null":
        services.stop(server)
    elif tree.exists(AUTOMATIC):
        # Whether it runs is decided by nodeagent/ssh_watch.py; new keys are for the one that runs.
        services.restart(server)
    elif tree.exists(f"{UNITS}/multi-user.target.wants/{server}"):
        services.start(server)
    else:
        services.restart(server)


SETTING = Setting("ssh", wanted, act, missing)
