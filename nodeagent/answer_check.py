"""Checks a `node.toml` where no node is: reads one request from standard input, and prints the reply."""

import sys

from nodeagent.intent_changes import hide_secrets
from nodeagent.intent_sources import Source, lay_document, parse_node_toml
from nodeagent.intent_state import write_toml
from nodelib.answer import AnswerReply, AnswerRequest
from nodelib.codec import from_json, to_json
from nodelib.errors import InvalidInput

OPTIONS = "options"
"""The name of what the command line lays over the document."""


def main() -> int:
    """Answer one request; returns 0 whatever is wrong with the document."""
    print(to_json(check_answer(from_json(AnswerRequest, sys.stdin.read()))))
    return 0


def check_answer(request: AnswerRequest) -> AnswerReply:
    """Tell everything that is wrong with a document and what is laid over it, or what they are together."""
    try:
        document = parse_node_toml(request.text, request.name)
        merged = lay_document(document, Source(OPTIONS, request.patch))
    except InvalidInput as error:
        return AnswerReply(error.problems)
    return AnswerReply((), write_toml(merged), hide_secrets(merged))


if __name__ == "__main__":
    sys.exit(main())
