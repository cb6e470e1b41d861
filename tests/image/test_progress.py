"""What a person who waits sees, where there is a terminal and where there is none."""

import io

import pytest
from rich.console import Console

from image.progress import Steps, print_lines


def test_without_a_terminal_each_step_is_a_line() -> None:
    """A log gets one line a step, with the seconds since the start and of the step."""
    output = io.StringIO()
    steps = Steps(2, Console(file=output, width=80))
    with steps.shown():
        with steps.step("packages"):
            steps.detail("Unpacking something")
        with steps.step("tree"):
            steps.say("a [word] as it is")
    lines = output.getvalue().splitlines()
    assert [line.split("] ")[1].split()[0] for line in lines if line.startswith("[ ")] == ["packages", "tree"]
    assert "a [word] as it is" in lines
    assert "Unpacking" not in output.getvalue()
    assert set(steps.seconds) == {"packages", "tree"}


def test_a_terminal_shows_the_step_and_the_latest_line() -> None:
    """The bar has the step's name, and beside it what the tool does now."""
    output = io.StringIO()
    steps = Steps(1, Console(file=output, width=120, force_terminal=True))
    with steps.shown(), steps.step("packages"):
        steps.detail("  Unpacking something  ")
    assert "packages: Unpacking something" in output.getvalue()


def test_a_line_with_brackets_does_not_break_the_bar() -> None:
    """A tool's line is text and not markup."""
    output = io.StringIO()
    steps = Steps(1, Console(file=output, width=120, force_terminal=True))
    with steps.shown(), steps.step("packages"):
        steps.detail("[/bold] 30% [working]")
    assert "[/bold] 30% [working]" in output.getvalue()


def test_a_step_that_fails_is_not_said_to_be_done() -> None:
    """Only steps that ended well are lines, and have a time."""
    output = io.StringIO()
    steps = Steps(1, Console(file=output, width=80))
    with pytest.raises(ValueError, match="broken"), steps.step("packages"):
        raise ValueError("broken")
    assert output.getvalue() == ""
    assert steps.seconds == {}


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Errors do not mix with what a program reads."""
    print_lines(["error: one", "hint: two"])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "error: one\nhint: two\n")
