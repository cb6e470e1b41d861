"""Errors as they cross a process."""

import pytest

from nodelib.errors import Code, InvalidInput, VirtnodeError, exit_status


@pytest.mark.parametrize(("code", "status"), [(code, 2 if code is Code.INVALID else 1) for code in Code])
def test_every_code_has_its_exit_status(code: Code, status: int) -> None:
    """Wrong input is 2, every other failure 1."""
    assert exit_status(code) == status


def test_an_error_reads_as_its_message() -> None:
    """What a log shows of an error is its message; the hint stays apart."""
    error = VirtnodeError(Code.BUSY, "another build runs", "wait for it")
    assert (str(error), error.code, error.hint) == ("another build runs", Code.BUSY, "wait for it")


def test_invalid_input_keeps_every_problem() -> None:
    """Problems stay one a line, in their order."""
    error = InvalidInput(["a.ks:1: one", "a.ks:2: two"])
    assert error.code is Code.INVALID
    assert error.problems == ("a.ks:1: one", "a.ks:2: two")
    assert str(error) == "a.ks:1: one\na.ks:2: two"
