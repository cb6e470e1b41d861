"""What was asked for when the engine started, and the settings that an administrator may change later."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.store import setting_rows
from engine.store.database import Connection
from nodelib.codec import decode, parse_json, to_json
from nodelib.errors import Code, VirtnodeError
from nodelib.link import LINK_PORT, REST_PORT

DEFAULT_HOME = Path("/var/lib/virtnode-engine")


class Rekey(StrEnum):
    """What lets a node that lost its key keep its identity."""

    NEVER = "never"
    """An administrator's word alone."""
    TOKEN = "token"
    """A join token, while the former node is not connected."""


@dataclass(frozen=True)
class ServeOptions:
    """The command line of `virtnode-engine serve`."""

    home: Path = DEFAULT_HOME
    database: str = ""
    """URL; empty for a SQLite file in `home`."""
    listen: str = ""
    """Address to listen on; empty for all."""
    link_port: int = LINK_PORT
    rest_port: int = REST_PORT
    names: tuple[str, ...] = ()
    """Names and addresses that nodes and browsers will use, for the certificate."""


@dataclass(frozen=True)
class Settings:
    """What an administrator may change while the engine runs; durations in the unit that the name says."""

    rekey: Rekey = Rekey.TOKEN
    certificate_days: float = 90.0
    grace_seconds: float = 60.0
    """How long a node may be silent before it is unreachable, plus half a second for a guest."""
    start_grace_seconds: float = 300.0
    """How long after the engine's start no node becomes unreachable."""
    reboot_seconds: float = 600.0
    """How long a reboot may take."""
    update_seconds: float = 1800.0
    """How long the update of a node may take."""
    update_poll_seconds: float = 2.0
    """How often a node that is updated is asked how it goes."""
    max_pending: int = 1000
    max_pending_per_address: int = 200
    event_days: float = 90.0
    max_events: int = 200_000
    session_idle_seconds: float = 1800.0
    session_absolute_seconds: float = 86400.0


def load_settings(connection: Connection) -> Settings:
    """Read the settings, with defaults for what nobody changed."""
    stored = {name: parse_json(value) for name, value in setting_rows.read_settings(connection).items()}
    return decode(Settings, stored)


def save_setting(connection: Connection, name: str, text: str) -> Settings:
    """Change one setting to what somebody typed; an unknown name or a wrong value is refused."""
    if name not in {field.name for field in dataclasses.fields(Settings)}:
        known = ", ".join(field.name for field in dataclasses.fields(Settings))
        raise VirtnodeError(Code.NOT_FOUND, f"there is no setting {name}", f"known are {known}")
    try:
        value: object = parse_json(text)
    except VirtnodeError:
        value = text
    changed = decode(Settings, {name: value})
    chosen = getattr(changed, name)
    if isinstance(chosen, float | int) and not 0 < chosen < 1e9:
        raise VirtnodeError(Code.INVALID, f"{name}: {text} is out of range", "give a number above 0")
    setting_rows.write_setting(connection, name, to_json(chosen))
    return load_settings(connection)


def database_url(options: ServeOptions) -> str:
    """Name the database that was asked for."""
    return options.database or f"sqlite:///{options.home.absolute() / 'engine.db'}"
