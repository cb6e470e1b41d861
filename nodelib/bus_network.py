"""The bus's methods about the network, beside those that change the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nodelib.link import Nothing, Verb


class Probe(StrEnum):
    """What a test of the network asks."""

    GATEWAY = "gateway"
    DNS = "dns"
    ENGINE = "engine"
    HOST = "host"


@dataclass(frozen=True)
class ProbeRequest:
    """A test: of the host `target`, or the name to look up for DNS; else of what the node has, and empty."""

    probe: Probe
    target: str = ""


@dataclass(frozen=True)
class ProbeReply:
    """What a test found: one sentence, what to do about it, and how long an answer took."""

    ok: bool
    text: str
    hint: str = ""
    milliseconds: float | None = None


@dataclass(frozen=True)
class BlinkRequest:
    """Let a port's light blink for some seconds (1 to 60); `failed` where its driver cannot."""

    nic: str
    seconds: int = 10


@dataclass(frozen=True)
class LeaseRequest:
    """A link that has its address from DHCP."""

    nic: str


@dataclass(frozen=True)
class LeaseReply:
    """The patch of the configuration that keeps the lease's addresses, gateway and name servers for good."""

    patch: Mapping[str, Any]
    changes: tuple[str, ...] = ()


PROBE = Verb("Probe", ProbeRequest, ProbeReply)
BLINK = Verb("Blink", BlinkRequest, Nothing)
LEASE = Verb("Lease", LeaseRequest, LeaseReply)

METHODS = (PROBE, BLINK, LEASE)
GUARDED = ()
