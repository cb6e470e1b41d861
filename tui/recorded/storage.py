"""How a recorded machine behaves: storage."""

from tui.recorded.answer import Answers

ANSWERS: Answers = {}
