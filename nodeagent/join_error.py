"""A join that failed, and at which step of the ladder."""

from nodelib.errors import Code, VirtnodeError
from nodelib.ladder import Step


class JoinError(VirtnodeError):
    """What went wrong on the way to the engine."""

    def __init__(self, step: Step, code: Code, message: str, hint: str = "") -> None:
        super().__init__(code, message, hint)
        self.step = step
