"""How a recorded machine behaves: support."""

from tui.recorded.answer import Answers

ANSWERS: Answers = {}
