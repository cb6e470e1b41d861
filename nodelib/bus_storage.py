"""The bus's methods about storage: what is there, iSCSI, and whether an NFS export can be mounted.

The disks themselves are among the facts; the initiator's name is a key of the configuration.
"""

from dataclasses import dataclass

from nodelib.bus_network import ProbeReply
from nodelib.link import Nothing, Verb


@dataclass(frozen=True)
class Multipath:
    """A disk that is reached by several paths."""

    name: str
    wwid: str
    size_bytes: int = 0
    paths: tuple[str, ...] = ()
    """One line a path: `sdb active ready`."""


@dataclass(frozen=True)
class IscsiSession:
    """A login to a target that is in force."""

    target: str
    portal: str
    disks: tuple[str, ...] = ()


@dataclass(frozen=True)
class StorageView:
    """Storage that is no plain disk."""

    initiator: str = ""
    """This node's iSCSI name; empty where the image has no iSCSI."""
    multipaths: tuple[Multipath, ...] = ()
    sessions: tuple[IscsiSession, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be asked, one line each."""


@dataclass(frozen=True)
class DiscoverRequest:
    """A portal, HOST or HOST:PORT, that is asked for its targets."""

    portal: str


@dataclass(frozen=True)
class IscsiTarget:
    """A target and the portal it was found at."""

    name: str
    portal: str


@dataclass(frozen=True)
class DiscoverReply:
    """The targets of a portal."""

    targets: tuple[IscsiTarget, ...]


@dataclass(frozen=True)
class IscsiLoginRequest:
    """Log in to a target; with a user and a password by CHAP."""

    target: str
    portal: str
    user: str = ""
    password: str = ""


@dataclass(frozen=True)
class IscsiLogoutRequest:
    """Log out of a target."""

    target: str
    portal: str


@dataclass(frozen=True)
class NfsTestRequest:
    """An export: mounted read-only somewhere private, looked at, and unmounted."""

    server: str
    path: str
    options: str = ""


STORAGE = Verb("Storage", Nothing, StorageView)
ISCSI_DISCOVER = Verb("IscsiDiscover", DiscoverRequest, DiscoverReply)
ISCSI_LOGIN = Verb("IscsiLogin", IscsiLoginRequest, Nothing)
ISCSI_LOGOUT = Verb("IscsiLogout", IscsiLogoutRequest, Nothing)
NFS_TEST = Verb("NfsTest", NfsTestRequest, ProbeReply)

METHODS = (STORAGE, ISCSI_DISCOVER, ISCSI_LOGIN, ISCSI_LOGOUT, NFS_TEST)
GUARDED = (ISCSI_LOGIN, ISCSI_LOGOUT, NFS_TEST)
