"""The join ladder: what must hold, one step after the other, for a node to be joined."""

from dataclasses import dataclass
from enum import StrEnum


class Step(StrEnum):
    """The steps, in order; each needs the ones before it."""

    LINK = "link"
    ADDRESS = "address"
    GATEWAY = "gateway"
    DNS = "dns"
    CLOCK = "clock"
    PROXY = "proxy"
    TCP = "tcp"
    TLS_PIN = "tls-pin"
    TOKEN = "token"
    APPROVAL = "approval"
    HEARTBEAT = "heartbeat"


class StepState(StrEnum):
    """How a step stands; what comes after a failing step waits."""

    OK = "ok"
    FAILING = "failing"
    WAITING = "waiting"


@dataclass(frozen=True)
class Rung:
    """One step: its state, one sentence that says what was found, and what a person can do about it."""

    step: Step
    state: StepState
    text: str
    hint: str = ""
    since: float = 0.0
    """When the state began: seconds since 1970."""


Ladder = tuple[Rung, ...]
"""One rung for each step, in the order of `Step`."""
