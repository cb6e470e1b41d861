"""What the node can offer to guests: KVM, libvirt and QEMU."""

import sys
from pathlib import Path

from nodeagent.facts.sources import names_in, read_table, text_of
from nodelib.facts import Virtualisation

PROBE = Path(__file__).with_name("libvirt_probe.py")
PROBE_TIMEOUT = 120.0
"""Seconds: the first question after a boot starts libvirt, which looks at all that QEMU can do."""
PROBE_COMMAND = (sys.executable, "-I", str(PROBE))


def collect_virtualisation(root: Path, probed: str) -> Virtualisation:
    """Read what the kernel offers, and what the probe printed of libvirt: nothing, where it is dead."""
    answer = read_table(probed)
    return Virtualisation(
        kvm=(root / "dev/kvm").exists(),
        libvirt=text_of(answer, "libvirt"),
        qemu=text_of(answer, "qemu"),
        domain_types=_texts(answer.get("domain_types")),
        machines=_texts(answer.get("machines")),
        guest_cpu=text_of(answer, "guest_cpu"),
        iommu=bool(names_in(root / "sys/class/iommu")),
    )


def running_guests(root: Path) -> tuple[str, ...]:
    """Name the guests that run, by the files that libvirt's QEMU driver keeps of each.

    The driver itself has a file with its process's number there, and no description.
    """
    names = names_in(root / "run/libvirt/qemu")
    stems = (name.removesuffix(".pid") for name in names if name.endswith(".pid"))
    return tuple(stem for stem in stems if f"{stem}.xml" in names)


def count_guests(root: Path) -> int:
    """Count the guests that run."""
    return len(running_guests(root))


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(item for item in items if isinstance(item, str))
