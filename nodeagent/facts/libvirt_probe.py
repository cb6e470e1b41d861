"""Asks libvirt what it can do, as a program of its own: libvirt may hang, and its library is large.

Prints one JSON table: versions of libvirt and QEMU, what guests may be made of, and the host's processor.
"""

import json
import sys
import xml.etree.ElementTree
from collections.abc import Iterable

import libvirt

SYSTEM = "qemu:///system"
ARCHITECTURE = "x86_64"


def main() -> int:
    """Ask the libvirt of the URI that is given, or the system's; returns the exit status."""
    uri = sys.argv[1] if len(sys.argv) > 1 else SYSTEM
    libvirt.registerErrorHandler(lambda context, error: None, None)
    try:
        connection = libvirt.openReadOnly(uri)
        answer: dict[str, object] = {
            "libvirt": version_text(connection.getLibVersion()),
            "qemu": version_text(connection.getVersion()),
            **read_capabilities(connection.getCapabilities()),
        }
    except libvirt.libvirtError as error:
        sys.stderr.write(f"libvirt: {error}\n")
        return 1
    sys.stdout.write(json.dumps(answer))
    return 0


def version_text(number: int) -> str:
    """Write libvirt's numbers as people do: 11003000 is 11.3.0."""
    return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"


def read_capabilities(text: str) -> dict[str, object]:
    """Read the capabilities' XML: domain types and machines of x86-64 guests, and the host's model."""
    capabilities = xml.etree.ElementTree.fromstring(text)
    guests = [arch for arch in capabilities.findall("./guest/arch") if arch.get("name") == ARCHITECTURE]
    return {
        "domain_types": unique(domain.get("type") for arch in guests for domain in arch.iter("domain")),
        "machines": unique(machine.text for arch in guests for machine in arch.iter("machine")),
        "guest_cpu": capabilities.findtext("./host/cpu/model") or "",
    }


def unique(texts: Iterable[str | None]) -> list[str]:
    """Keep each text once, in order."""
    return list(dict.fromkeys(text for text in texts if text))


if __name__ == "__main__":
    sys.exit(main())
