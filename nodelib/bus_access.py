"""The bus's methods about access: the administrator's password, the lock of a console, SSH.

Whether a change is allowed is decided by the agent, for each connection to the bus by itself: root may;
anybody else may as long as no password is set, and after that for as long as the connection is unlocked.
"""

from dataclasses import dataclass

from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class Access:
    """Who may do what. `unlocked` and `seconds_left` are about the connection that asks."""

    account: str = "admin"
    """Whose password is asked."""
    password_set: bool = False
    unlocked: bool = False
    """A change would be allowed now."""
    seconds_left: float = 0.0
    """Until the connection locks itself if it changes nothing; 0 where nothing locks it."""
    idle_lock: int = 300
    """Seconds without a key after which a console locks itself; 0 never."""
    ssh: str = "image"
    """The intent's: on, off, automatic or image."""
    ssh_running: bool = False
    ssh_keys: tuple[str, ...] = ()
    """The intent's public keys, as in authorized_keys."""
    host_keys: tuple[str, ...] = ()
    """Fingerprints of the SSH server's own keys, `TYPE SHA256:…`."""


@dataclass(frozen=True)
class UnlockRequest:
    """The administrator's password, checked through PAM; a wrong one is `denied`, too many are `busy`."""

    password: str


@dataclass(frozen=True)
class PasswordRequest:
    """A new password for the administrator; an empty one takes it away."""

    password: str


@dataclass(frozen=True)
class KeysRequest:
    """An https URL that has public keys, one a line."""

    url: str


@dataclass(frozen=True)
class KeysReply:
    """The keys that were found there; none of them is let in yet."""

    keys: tuple[str, ...]


ACCESS = Verb("Access", Nothing, Access)
UNLOCK = Verb("Unlock", UnlockRequest, Access)
LOCK = Verb("Lock", Nothing, Access)
SET_PASSWORD = Verb("SetPassword", PasswordRequest, Nothing)
FETCH_KEYS = Verb("FetchKeys", KeysRequest, KeysReply)

METHODS = (ACCESS, UNLOCK, LOCK, SET_PASSWORD, FETCH_KEYS)
GUARDED = (SET_PASSWORD,)
