"""How the node stands, for bus, console and banner."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from nodeagent.dial import read_endpoint
from nodeagent.identity import Membership
from nodeagent.ladder import summary
from nodeagent.progress import Progress
from nodelib.bus import AskedKey, Notice, PendingChange, SourceStep, Status
from nodelib.codec import to_json
from nodelib.errors import VirtnodeError
from nodelib.facts import Facts
from nodelib.ladder import Ladder
from nodelib.link import REST_PORT

STATUS_FILE = "run/virtnode/status.json"


@dataclass(frozen=True)
class Observations:
    """What a status is made of."""

    facts: Facts
    hostname: str
    engine: str
    progress: Progress
    membership: Membership
    code: str
    fingerprint: str
    ladder: Ladder = ()
    pending: PendingChange | None = None
    problems: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()
    pins: tuple[str, ...] = ()
    certificate_until: float = 0.0
    asked: tuple[AskedKey, ...] = ()
    sources: tuple[SourceStep, ...] = ()
    stateless: bool = False
    has_room: bool = False
    installed_to: str = ""


def make_status(seen: Observations) -> Status:
    """Put what was observed into a person's words."""
    text, hint = summary(seen.ladder)
    known = seen.membership if seen.membership.engine == seen.engine else Membership()
    return Status(
        hostname=seen.hostname,
        product=seen.facts.product,
        addresses=tuple(
            f"{nic.name}: {', '.join(nic.addresses)}" for nic in seen.facts.nics if nic.addresses
        ),
        engine=seen.engine,
        connected=seen.progress.connected,
        state=seen.progress.state,
        reason=seen.progress.reason,
        node=seen.progress.node or known.node,
        name=seen.progress.name or known.name,
        approval_code=seen.code,
        fingerprint=seen.fingerprint,
        ladder=text,
        hint=hint,
        pending=seen.pending,
        problems=seen.problems,
        warnings=seen.warnings,
        engine_url=engine_url(seen.engine),
        engine_pins=seen.pins,
        certificate_until=seen.certificate_until,
        asked=seen.asked,
        sources=seen.sources,
        stateless=seen.stateless,
        has_room=seen.has_room,
        installed_to=seen.installed_to,
    )


def engine_url(address: str) -> str:
    """Say where a browser finds the engine at an address; empty where there is none, or it is wrong."""
    if not address:
        return ""
    try:
        host = read_endpoint(address).host
    except VirtnodeError:
        return ""
    return f"https://{f'[{host}]' if ':' in host else host}:{REST_PORT}/"


def is_news(before: Status | None, after: Status) -> bool:
    """Tell whether two statuses differ in more than the seconds that a pending change has left."""
    return before is None or _settled(before) != _settled(after)


def _settled(status: Status) -> Status:
    if status.pending is None:
        return status
    return dataclasses.replace(status, pending=dataclasses.replace(status.pending, seconds_left=0.0))


def write_status(root: Path, status: Status) -> None:
    """Leave the status where the banner finds it, in one step; nothing in it is secret."""
    path = root / STATUS_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(to_json(status))
    fresh.chmod(0o644)
    fresh.replace(path)
