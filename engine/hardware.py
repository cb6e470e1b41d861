"""Which machine a node says it is: serial number and UUID, as its firmware tables name them."""

from dataclasses import dataclass

from engine.printable import printable
from nodelib.facts import Facts

LONGEST = 100


@dataclass(frozen=True)
class Machine:
    """A machine, as far as a node's word goes."""

    uuid: str
    serial: str

    @property
    def is_known(self) -> bool:
        """Whether both are there: boards without a serial number have a UUID in common."""
        return bool(self.uuid and self.serial)

    def differs_from(self, other: "Machine") -> bool:
        """Tell whether these are two machines for sure."""
        return self.is_known and other.is_known and self != other

    def __str__(self) -> str:
        """Name it for a person."""
        return f"serial number {self.serial}, UUID {self.uuid}"


def read_machine(facts: Facts) -> Machine:
    """Read from a node's facts which machine it is."""
    hardware = facts.hardware
    return Machine(printable(hardware.uuid, LONGEST).lower(), printable(hardware.serial, LONGEST))
