"""How the newest update stands, kept over restarts: each slot reads what the other one wrote."""

import logging
from dataclasses import dataclass
from pathlib import Path

from nodeagent.durable import write_durably
from nodelib.bus_update import UpdateState
from nodelib.codec import decode_lenient, parse_json, to_json
from nodelib.errors import VirtnodeError

logger = logging.getLogger(__name__)

RECORD = "var/lib/virtnode/update.json"


@dataclass(frozen=True)
class SlotImage:
    """What is in a slot."""

    version: str = ""
    build_id: str = ""
    intent_version: int = 0
    """The newest version of node.toml that its agent reads; 0 where nobody knows."""


@dataclass(frozen=True)
class Footing:
    """How the node stood before the update: what held then must hold again."""

    rungs: tuple[str, ...] = ()
    """Steps of the join ladder."""
    failed_units: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Of the configuration."""
    engine_was_reachable: bool = False


@dataclass(frozen=True)
class UpdateRecord:
    """The newest update."""

    state: UpdateState = UpdateState.IDLE
    slot: str = ""
    """Where it is: a or b."""
    image: SlotImage = SlotImage()
    previous: SlotImage = SlotImage()
    """What the other slot holds."""
    waits_for: tuple[str, ...] = ()
    error: str = ""
    hint: str = ""
    actor: str = ""
    time: float = 0.0
    before: Footing = Footing()


def load_record(root: Path) -> UpdateRecord:
    """Read the record; one that is not there, or cannot be read, says that there was no update."""
    try:
        return decode_lenient(UpdateRecord, parse_json((root / RECORD).read_bytes()))
    except FileNotFoundError:
        return UpdateRecord()
    except (OSError, VirtnodeError) as error:
        logger.warning("the record of the last update cannot be read: %s", error)
        return UpdateRecord()


def store_record(root: Path, record: UpdateRecord) -> None:
    """Keep the record; a state disk that is full must not stop an update, or a blessing."""
    try:
        (root / RECORD).parent.mkdir(parents=True, exist_ok=True)
        write_durably(root / RECORD, to_json(record).encode())
    except OSError as error:
        logger.error("the record of the update cannot be kept: %s", error)
