"""Messages of the link."""

import json

import pytest

from nodelib.errors import Code, VirtnodeError
from nodelib.jsonrpc import NUMBERS, Reply, Request, dump_reply, dump_request, parse_message
from nodelib.link import Rejected


def test_a_call_is_read_as_it_was_written() -> None:
    """With and without an answer wanted."""
    for call in (Request("heartbeat", {"time": 1.0}, 7), Request("hello", {})):
        assert parse_message(json.dumps(dump_request(call))) == call


def test_a_result_is_read_as_it_was_written() -> None:
    """A dataclass travels as a table."""
    text = json.dumps(dump_reply(Reply(7, Rejected("no"))))
    assert parse_message(text) == Reply(7, {"reason": "no"})


@pytest.mark.parametrize("code", list(Code))
def test_an_error_keeps_code_message_and_hint(code: Code) -> None:
    """Every code has a number of its own."""
    text = json.dumps(dump_reply(Reply(7, error=VirtnodeError(code, "what", "do this"))))
    message = parse_message(text)
    assert isinstance(message, Reply)
    assert message.error is not None
    assert (message.error.code, message.error.message, message.error.hint) == (code, "what", "do this")
    assert len(set(NUMBERS.values())) == len(Code)


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "[]",
        "{}",
        '{"jsonrpc": "1.0", "method": "a"}',
        '{"jsonrpc": "2.0", "id": "x", "method": "a"}',
        '{"jsonrpc": "2.0", "id": true, "method": "a"}',
        '{"jsonrpc": "2.0", "method": 3}',
        '{"jsonrpc": "2.0", "method": "a", "params": []}',
        '{"jsonrpc": "2.0", "id": 1}',
        '{"jsonrpc": "2.0", "id": 1, "error": "bad"}',
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """One error, whatever is wrong."""
    with pytest.raises(VirtnodeError) as caught:
        parse_message(text)
    assert caught.value.code is Code.INVALID
