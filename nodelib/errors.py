"""The one error type a user may meet, and the closed list of its codes."""

from enum import StrEnum


class Code(StrEnum):
    """Why something could not be done; each code maps once to an exit status, HTTP status and bus error."""

    INVALID = "invalid"
    NOT_FOUND = "not-found"
    CONFLICT = "conflict"
    DENIED = "denied"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class VirtnodeError(Exception):
    """A failure with a code, one line that says what is wrong, and a hint that says what to do."""

    def __init__(self, code: Code, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class InvalidInput(VirtnodeError):
    """Everything that is wrong with an input, found in one run: one line a problem."""

    def __init__(self, problems: list[str], hint: str = "") -> None:
        super().__init__(Code.INVALID, "\n".join(problems), hint)
        self.problems = tuple(problems)


def exit_status(code: Code) -> int:
    """Map a code to a process's exit status: 2 for wrong input, 1 for the rest."""
    return 2 if code is Code.INVALID else 1
