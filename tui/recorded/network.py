"""How a recorded machine behaves: network."""

from tui.recorded.answer import Answers

ANSWERS: Answers = {}
