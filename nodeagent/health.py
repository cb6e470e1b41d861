"""What is wrong with this node, one line each, and whether guests can run on it."""

from dataclasses import dataclass
from pathlib import Path

from nodeagent.facts.sources import Command, read_list, read_text, text_of
from nodelib.facts import Facts

FAILED_COMMAND = ("systemctl", "list-units", "--failed", "--all", "--output=json")


@dataclass(frozen=True)
class Health:
    """The verdict."""

    healthy: bool
    """Guests can run."""
    problems: tuple[str, ...]
    """All that is wrong, one line each."""
    failed_units: tuple[str, ...] = ()
    kvm_missing: bool = False
    libvirt_silent: bool = False


def collect_health(facts: Facts, command: Command, *, libvirt_known: bool = True) -> Health:
    """Look for failed units, KVM and libvirt; a libvirt that is still starting is no problem."""
    units = tuple(filter(None, (text_of(unit, "unit") for unit in read_list(command(FAILED_COMMAND)))))
    problems = [f"the unit {unit} failed" for unit in units]
    virtualisation = facts.virtualisation
    if not virtualisation.kvm:
        problems.append("KVM is missing: enable virtualisation in the firmware setup")
    dead = libvirt_known and not virtualisation.libvirt
    if dead:
        problems.append("libvirt does not answer")
    return Health(
        virtualisation.kvm and not dead,
        tuple(problems),
        failed_units=units,
        kvm_missing=not virtualisation.kvm,
        libvirt_silent=dead,
    )


def read_uptime(root: Path) -> float:
    """Return the seconds since the machine started."""
    return float((read_text(root / "proc/uptime") or "0").split()[0])


def read_load(root: Path) -> float:
    """Return the load of the last minute."""
    return float((read_text(root / "proc/loadavg") or "0").split()[0])
