"""Recorded machines: nodes out of a JSON file that behave, for tests, demonstrations and pictures."""

from tui.recorded.machine import RecordedMachine, load_machine

__all__ = ["RecordedMachine", "load_machine"]
