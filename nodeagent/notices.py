"""What somebody should look after, each with what to do about it; no word of it changes without a reason."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nodeagent.health import Health
from nodeagent.state_disk import State
from nodelib.bus import Notice
from nodelib.bus_system import StorageMeter
from nodelib.places import Place, at

DAY = 86400.0
CERTIFICATE_DAYS = 14
WORST_SKEW = 60.0
FULL = 0.9
STATE_UNIT, LIBVIRT_UNIT = "virtnode-state.service", "virtqemud.service"
ISO_DAY = "%Y-%m-%d"


@dataclass(frozen=True)
class Outlook:
    """What is looked at."""

    now: float
    health: Health
    state: State
    storage: Sequence[StorageMeter] = ()
    certificate_until: float = 0.0
    skew: float | None = None


def collect_notices(seen: Outlook) -> tuple[Notice, ...]:
    """Name everything that is not as it should be, the gravest first."""
    return (*_state(seen), *_health(seen.health), *_certificate(seen), *_clock(seen), *_storage(seen.storage))


def _state(seen: Outlook) -> Iterator[Notice]:
    if seen.state.problem:
        yield Notice(seen.state.problem, f"look at the disk: {at(Place.UNIT, STATE_UNIT)}")
    if seen.state.note:
        yield Notice(seen.state.note, "the newer one is beside it: /var/lib/virtnode/node.toml.newer")


def _health(health: Health) -> Iterator[Notice]:
    for unit in health.failed_units:
        yield Notice(f"the unit {unit} failed", at(Place.UNIT, unit))
    if health.kvm_missing:
        yield Notice("KVM is missing", "enable virtualisation in the firmware setup")
    if health.libvirt_silent:
        yield Notice("libvirt does not answer", at(Place.UNIT, LIBVIRT_UNIT))


def _certificate(seen: Outlook) -> Iterator[Notice]:
    until = seen.certificate_until
    if not until:
        return
    day = time.strftime(ISO_DAY, time.gmtime(until))
    if until <= seen.now:
        yield Notice(
            f"the certificate of this node ended on {day}", "it registers again once it reaches its engine"
        )
    elif until <= seen.now + CERTIFICATE_DAYS * DAY:
        yield Notice(
            f"the certificate of this node ends on {day}", "it is renewed once the node reaches its engine"
        )


def _clock(seen: Outlook) -> Iterator[Notice]:
    if seen.skew is not None and abs(seen.skew) > WORST_SKEW:
        way = "behind" if seen.skew > 0 else "ahead of"
        yield Notice(
            f"the clock is more than a minute {way} the engine's", "set time servers that this node reaches"
        )


def _storage(storage: Sequence[StorageMeter]) -> Iterator[Notice]:
    words = {
        "state": ("the state disk", "remove what is not the node's own from /var/lib/virtnode"),
        "memory": ("the memory for changes", "restart the node, or look for what writes so much"),
    }
    for meter in storage:
        if meter.name in words and meter.size_bytes and meter.used_bytes > FULL * meter.size_bytes:
            name, hint = words[meter.name]
            yield Notice(f"{name} is more than {FULL:.0%} full", hint)
