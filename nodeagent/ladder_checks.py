"""One small check for each step of the join ladder: what was found in one sentence, and what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nodeagent.dial import is_address
from nodeagent.progress import Progress
from nodelib.errors import VirtnodeError
from nodelib.facts import Nic
from nodelib.ladder import Step, StepState

NOTABLE_SKEW = 300.0
"""Seconds between two clocks that are worth a word."""


@dataclass(frozen=True)
class Finding:
    """How a step stands."""

    state: StepState
    text: str
    hint: str = ""


@dataclass(frozen=True)
class Gateway:
    """A router on the way to the engine; `answers` is None where the way needs none."""

    address: str = ""
    interface: str = ""
    answers: bool | None = None


def holds(text: str, hint: str = "") -> Finding:
    """Say that a step is done."""
    return Finding(StepState.OK, text, hint)


def fails(text: str, hint: str) -> Finding:
    """Say that a step is in the way."""
    return Finding(StepState.FAILING, text, hint)


def waits(text: str, hint: str = "") -> Finding:
    """Say that a step has not been come to, or that somebody else must act."""
    return Finding(StepState.WAITING, text, hint)


def check_link(nics: Sequence[Nic]) -> Finding:
    """Check that a cable is plugged in."""
    ports = [nic for nic in nics if nic.kind == "physical"]
    if not ports:
        return fails(
            "No network port was found.",
            "is the card seated and enabled in the firmware setup? its driver may be missing",
        )
    linked = [nic for nic in ports if nic.link]
    if not linked:
        names = ", ".join(nic.name for nic in ports)
        return fails(f"No port has a link: {names}.", "plug a cable in, or look at the switch port")
    speeds = (f"{nic.name} at {nic.speed_mbps} Mbit/s" if nic.speed_mbps else nic.name for nic in linked)
    return holds(f"Link on {', '.join(speeds)}.")


def check_address(nics: Sequence[Nic]) -> Finding:
    """Check that the node has an address that others can reach."""
    addressed = [nic for nic in nics if nic.addresses]
    if not addressed:
        return fails(
            "No interface has an IP address.",
            "is there a DHCP server on this network? else set an address in the configuration",
        )
    return holds("; ".join(f"{nic.name} has {', '.join(nic.addresses)}" for nic in addressed) + ".")


def check_gateway(gateway: Gateway | None) -> Finding:
    """Check that the router on the way answers."""
    if gateway is None:
        return fails("There is no route out of this network.", "set a gateway, or let DHCP give one")
    if gateway.answers is None:
        return holds("The engine is on this network; no gateway is needed.")
    where = f"{gateway.address} on {gateway.interface}"
    if not gateway.answers:
        return fails(
            f"The gateway {where} does not answer.",
            "is it the right gateway, and this port in the right VLAN?",
        )
    return holds(f"The gateway {where} answers.")


def check_dns(host: str, resolve: Callable[[str], tuple[str, ...]]) -> Finding:
    """Check that the name on the way is known; `host` is the proxy's where there is one."""
    if is_address(host):
        return holds(f"{host} is an address; no name is looked up.")
    try:
        addresses = resolve(host)
    except VirtnodeError as error:
        return fails(_sentence(error.message), error.hint)
    return holds(f"{host} is {', '.join(addresses)}.")


def check_clock(now: float, built_at: float, progress: Progress) -> Finding:
    """Check that certificates can be judged by this clock, or by the engine's."""
    if progress.failed is Step.CLOCK:
        return fails(_sentence(progress.message), progress.hint)
    if progress.skew is not None and abs(progress.skew) >= NOTABLE_SKEW:
        where = "behind" if progress.skew > 0 else "ahead of"
        return holds(
            f"This clock is {_duration(abs(progress.skew))} {where} the engine's.",
            "the engine's time is used until NTP has set this clock; are NTP servers reachable?",
        )
    if now < built_at:
        return holds(
            "This clock stands before this image was made.",
            "the engine's time is used to join; are NTP servers reachable?",
        )
    if progress.skew is None:
        return holds("This clock may be right; no engine was asked for the time yet.")
    return holds("This clock agrees with the engine's.")


def check_remote(step: Step, progress: Progress, *, code: str) -> Finding:
    """Tell of a step that can be known only by going there, from how far the last try got."""
    if progress.failed is step:
        return fails(_sentence(progress.message), progress.hint)
    if step is Step.APPROVAL and not progress.holds(step):
        return _approval(progress, code)
    if step is Step.PROXY and not progress.proxy_given:
        return holds("No proxy is set.")
    if not progress.holds(step):
        return waits("Not tried yet." if progress.failed is None else "Waits for the steps before.")
    return holds(_REMOTE_TEXTS[step](progress))


def _approval(progress: Progress, code: str) -> Finding:
    if progress.state == "rejected":
        reason = f": {progress.reason}" if progress.reason else ""
        return fails(
            f"The engine rejected this node{reason}.", "have it admitted there, then join again from here"
        )
    if progress.state == "pending" and progress.holds(Step.TOKEN):
        return waits(
            f"Waits for an administrator to approve {code}.",
            "compare code and fingerprint with what the engine shows",
        )
    return waits("Not asked yet.")


_REMOTE_TEXTS: dict[Step, Callable[[Progress], str]] = {
    Step.PROXY: lambda progress: "The proxy leads to the engine.",
    Step.TCP: lambda progress: f"{progress.engine} takes connections.",
    Step.TLS_PIN: lambda progress: "The engine is the pinned one.",
    Step.TOKEN: lambda progress: (
        "The token was sent." if progress.token_given else "None given: an administrator approves."
    ),
    Step.APPROVAL: lambda progress: f"This node is {progress.name or progress.node or 'admitted'}.",
    Step.HEARTBEAT: lambda progress: f"The engine answers; it says {progress.state}.",
}


def _sentence(text: str) -> str:
    # A host's name, a port's or an address keeps its first letter.
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    begin = text[:1].upper() if first.isalpha() else text[:1]
    return f"{begin}{text[1:]}".rstrip(".") + "."


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"
