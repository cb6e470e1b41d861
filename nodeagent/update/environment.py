"""What the boot menu remembers from start to start: which slot starts, which is on trial, which failed."""

from dataclasses import dataclass, field, replace

from nodeagent.install.fat_editor import FatEditor
from nodelib.errors import Code, VirtnodeError
from nodelib.slot_menu import SLOTS, environment_block, read_environment
from nodelib.slots import SECTOR

ENVIRONMENT = "grub/grubenv"


@dataclass(frozen=True)
class Environment:
    """GRUB's variables."""

    slot: str = "a"
    """What starts."""
    trial: str = ""
    """What is tried before, as long as there are tries."""
    tries: int = 0
    failed: str = ""
    """A slot whose image never passed."""
    others: dict[str, str] = field(default_factory=dict)


def load_environment(esp: FatEditor) -> Environment:
    """Read it; raises VirtnodeError (failed) where there is none."""
    found = read_environment(esp.read_file(ENVIRONMENT))
    tries = found.pop("tries", "")
    known = {name: found.pop(name, "") for name in ("slot", "trial", "failed")}
    known = {name: value if value in SLOTS else "" for name, value in known.items()}
    return Environment(
        known["slot"] or "a", known["trial"], int(tries) if tries.isdigit() else 0, known["failed"], found
    )


def store_environment(esp: FatEditor, environment: Environment) -> None:
    """Replace it; all that differs is in one sector, so that a loss of power leaves the old or the new."""
    variables = {"slot": environment.slot}
    if environment.trial:
        variables |= {"trial": environment.trial, "tries": str(environment.tries)}
    if environment.failed:
        variables["failed"] = environment.failed
    block = environment_block(**variables, **environment.others)
    if block[SECTOR:].strip(b"#"):
        raise VirtnodeError(Code.FAILED, "the boot menu's environment is full", "install again, with --keep")
    esp.overwrite(ENVIRONMENT, block)


def put_on_trial(environment: Environment, slot: str, tries: int) -> Environment:
    """Have a slot tried at the next starts."""
    return replace(environment, trial=slot, tries=tries, failed="")


def keep_slot(environment: Environment, slot: str) -> Environment:
    """Have a slot started from now on."""
    return replace(environment, slot=slot, trial="", tries=0, failed="")


def give_up(environment: Environment, slot: str) -> Environment:
    """Have a slot not started any more, nor taken for one that ever passed."""
    return replace(environment, trial="", tries=0, failed=slot)
