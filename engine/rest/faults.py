"""What a client is told when its request is refused: one table from codes to HTTP statuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.rest.shapes import Document
from nodelib.errors import Code, VirtnodeError

STATUSES: Mapping[Code, int] = {
    Code.INVALID: 400,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.DENIED: 403,
    Code.BUSY: 429,
    Code.UNAVAILABLE: 503,
    Code.FAILED: 500,
}
RETRY_SECONDS = {429: 30, 503: 10}
"""What `Retry-After` says."""


@dataclass(frozen=True)
class Refusal(Exception):
    """An answer that is no success: HTTP's status, a few words, and what can be done about it."""

    status: int
    reason: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> Document:
        """The body of the answer."""
        return {"reason": self.reason, "detail": self.detail}


def refuse(error: VirtnodeError) -> Refusal:
    """Say in HTTP's words what is wrong."""
    status = STATUSES[error.code]
    headers = {"Retry-After": str(RETRY_SECONDS[status])} if status in RETRY_SECONDS else {}
    return Refusal(status, error.code.value, describe(error), headers)


def describe(error: VirtnodeError) -> str:
    """Put an error and its hint into one line."""
    message = "; ".join(error.message.splitlines())
    return f"{message}: {error.hint}" if error.hint else message


def unauthenticated(detail: str) -> Refusal:
    """Ask for credentials."""
    return Refusal(
        401, "unauthenticated", detail, {"WWW-Authenticate": 'Basic realm="virtnode", charset="UTF-8"'}
    )


BROKEN = Refusal(500, "failed", "the engine made a mistake: its journal says more")
