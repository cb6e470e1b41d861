"""The configuration as each slot's agent knew it: a rollback must not meet what only a newer one reads."""

import logging
import tomllib
from pathlib import Path

from nodeagent.decided import RECORD as KEYS
from nodeagent.durable import write_durably
from nodeagent.intent import VERSION
from nodeagent.intent_sources import GOOD_STATE, STATE
from nodeagent.update.record import load_record
from nodeagent.update.slot_disk import find_slot_disk, slot_on_trial
from nodelib.errors import VirtnodeError
from nodelib.slot_menu import SLOTS

logger = logging.getLogger(__name__)

COPIES = "var/lib/virtnode/slots"
FILES = (STATE, GOOD_STATE, KEYS)
NEWER = f"{STATE}.newer"
NOTE = "the configuration was written by a newer image; in force is what this one had before the update"


def settle_state(root: Path) -> str:
    """Before anything reads the state: keep a copy for the slot that a trial may go back to, or use our own.

    Returns what a person should know, or nothing.
    """
    trial = slot_on_trial(root)
    version = document_version(root / STATE)
    if trial:
        other = SLOTS[1 - SLOTS.index(trial)]
        known = load_record(root).previous.intent_version
        if version <= known or not (copy_folder(root, other) / "node.toml").exists():
            keep_copy(root, other)
    if version <= VERSION:
        return ""
    try:
        own = trial or find_slot_disk(root).booted
    except VirtnodeError as error:
        logger.error("the state is of a newer image, and no copy is known: %s", error.message)
        return ""
    return NOTE if use_copy(root, own) else ""


def keep_copy(root: Path, slot: str) -> None:
    """Copy what the node was told, for the agent of a slot."""
    folder = copy_folder(root, slot)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in FILES:
        copy = folder / Path(name).name
        if (root / name).exists():
            write_durably(copy, (root / name).read_bytes())
        else:
            copy.unlink(missing_ok=True)


def put_copy(root: Path, slot: str, text: str) -> None:
    """Leave a document for the agent of a slot that cannot read the present one."""
    keep_copy(root, slot)
    for name in (STATE, GOOD_STATE):
        write_durably(copy_folder(root, slot) / Path(name).name, text.encode())


def use_copy(root: Path, slot: str) -> bool:
    """Put a slot's copy in force, and the newer document aside; tell whether there was one."""
    folder = copy_folder(root, slot)
    if not (folder / Path(STATE).name).exists():
        return False
    write_durably(root / NEWER, (root / STATE).read_bytes())
    # The document itself comes last: until then the next start does all of this again.
    for name in (KEYS, GOOD_STATE, STATE):
        copy = folder / Path(name).name
        if copy.exists():
            write_durably(root / name, copy.read_bytes())
    logger.warning("%s", NOTE)
    return True


def copy_folder(root: Path, slot: str) -> Path:
    """Return where a slot's copy is."""
    return root / COPIES / slot


def document_version(path: Path) -> int:
    """Return the version that a document says; 0 for one that says none, or cannot be read."""
    try:
        version = tomllib.loads(path.read_text()).get("version", 0)
    except (OSError, ValueError):
        return 0
    return version if isinstance(version, int) else 0
