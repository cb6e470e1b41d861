"""How a recorded machine behaves: password, lock, SSH and its keys."""

import dataclasses
from typing import TYPE_CHECKING

from nodelib.bus import CONFIG_SHOW
from nodelib.bus_access import (
    ACCESS,
    FETCH_KEYS,
    LOCK,
    SET_PASSWORD,
    UNLOCK,
    Access,
    KeysReply,
    KeysRequest,
    PasswordRequest,
    UnlockRequest,
)
from nodelib.errors import Code, VirtnodeError
from nodelib.link import Nothing
from tui.recorded.answer import Answers

if TYPE_CHECKING:
    from tui.recorded.machine import RecordedMachine


def _change(machine: "RecordedMachine", unlocked: bool) -> Access:
    known = access(machine, Nothing())
    left = float(known.idle_lock) if unlocked else 0.0
    machine.put(ACCESS, dataclasses.replace(machine.get(ACCESS), unlocked=unlocked, seconds_left=left))
    return access(machine, Nothing())


def access(machine: "RecordedMachine", request: Nothing) -> Access:
    """Show the settings as the configuration has them."""
    decided = machine.get(CONFIG_SHOW).document.get("access", {})
    known = machine.get(ACCESS)
    ssh = decided.get("ssh", known.ssh)
    return dataclasses.replace(
        known,
        ssh=ssh,
        ssh_running=known.ssh_running if ssh in ("image", known.ssh) else ssh == "on",
        idle_lock=int(decided.get("idle_lock", known.idle_lock)),
        ssh_keys=tuple(decided.get("ssh_keys", known.ssh_keys)),
    )


def unlock(machine: "RecordedMachine", request: UnlockRequest) -> Access:
    """Take the recorded password alone."""
    if request.password != machine.password:
        raise VirtnodeError(Code.DENIED, "the password is wrong", "try again")
    return _change(machine, True)


def lock(machine: "RecordedMachine", request: Nothing) -> Access:
    """Lock, if there is a password to unlock it again."""
    return _change(machine, not machine.get(ACCESS).password_set)


def set_password(machine: "RecordedMachine", request: PasswordRequest) -> None:
    """Set it, or take it away."""
    if request.password and len(request.password) < 8:
        raise VirtnodeError(Code.INVALID, "the password is too short", "take 8 characters or more")
    machine.password = request.password
    known = dataclasses.replace(machine.get(ACCESS), password_set=bool(request.password), unlocked=True)
    machine.put(ACCESS, known)


def fetch_keys(machine: "RecordedMachine", request: KeysRequest) -> KeysReply:
    """Find two keys at every https address."""
    if not request.url.startswith("https://"):
        raise VirtnodeError(Code.INVALID, f"{request.url} is no https address", "begin it with https://")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
    return KeysReply((f"{key}{'A' * 43} alice@example.org", f"{key}{'B' * 43} bob@example.org"))


ANSWERS: Answers = {
    ACCESS: access,
    UNLOCK: unlock,
    LOCK: lock,
    SET_PASSWORD: set_password,
    FETCH_KEYS: fetch_keys,
}
