"""JSON-RPC 2.0 as the link speaks it: one message a frame, no batches, errors with our codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nodelib.codec import encode, parse_json
from nodelib.errors import Code, VirtnodeError

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INTERNAL_ERROR = -32700, -32600, -32601, -32603
LARGEST_ID = (1 << 53) - 1
NUMBERS = {
    Code.INVALID: -32602,
    Code.NOT_FOUND: -32001,
    Code.CONFLICT: -32002,
    Code.DENIED: -32003,
    Code.BUSY: -32004,
    Code.UNAVAILABLE: -32005,
    Code.FAILED: -32006,
}
"""The number of each of our codes; JSON-RPC leaves -32000 to -32099 to implementations."""
CODES = {number: code for code, number in NUMBERS.items()} | {
    PARSE_ERROR: Code.INVALID,
    INVALID_REQUEST: Code.INVALID,
    METHOD_NOT_FOUND: Code.NOT_FOUND,
}


@dataclass(frozen=True)
class Request:
    """A call; without an `id` nobody waits for an answer."""

    method: str
    params: Mapping[str, Any]
    id: int | None = None


@dataclass(frozen=True)
class Reply:
    """What came of a call: a result, or an error."""

    id: int | None
    result: Any = None
    error: VirtnodeError | None = None


def dump_request(request: Request) -> dict[str, Any]:
    """Lay a call out as JSON-RPC does."""
    document: dict[str, Any] = {
        "jsonrpc": "2.0",
        "method": request.method,
        "params": encode(request.params),
    }
    return document if request.id is None else {**document, "id": request.id}


def dump_reply(reply: Reply) -> dict[str, Any]:
    """Lay an answer out as JSON-RPC does; the hint travels as the error's data."""
    document: dict[str, Any] = {"jsonrpc": "2.0", "id": reply.id}
    if reply.error is None:
        return {**document, "result": encode(reply.result)}
    error = {"code": NUMBERS[reply.error.code], "message": reply.error.message}
    return {**document, "error": {**error, "data": {"hint": reply.error.hint}}}


def parse_message(text: str | bytes) -> Request | Reply:
    """Read one frame. Raises VirtnodeError (invalid) for what is neither a call nor an answer."""
    document = parse_json(text)
    if not isinstance(document, dict) or document.get("jsonrpc") != "2.0":
        raise VirtnodeError(Code.INVALID, "not a JSON-RPC 2.0 message")
    number = document.get("id")
    if isinstance(number, bool) or not (number is None or isinstance(number, int)):
        raise VirtnodeError(Code.INVALID, "the id of a message is a whole number")
    if number is not None and abs(number) > LARGEST_ID:
        raise VirtnodeError(Code.INVALID, "the id of a message is too large")
    if "method" in document:
        method, params = document["method"], document.get("params", {})
        if not (isinstance(method, str) and isinstance(params, dict)):
            raise VirtnodeError(Code.INVALID, "a call has a method's name and a table of parameters")
        return Request(method, params, number)
    if "error" in document:
        return Reply(number, error=_parse_error(document["error"]))
    if "result" in document:
        return Reply(number, result=document["result"])
    raise VirtnodeError(Code.INVALID, "a message has a method, a result or an error")


def _parse_error(error: Any) -> VirtnodeError:
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        raise VirtnodeError(Code.INVALID, "an error has a code and a message")
    data = error.get("data")
    hint = data.get("hint", "") if isinstance(data, dict) else ""
    code = error.get("code")
    known = CODES.get(code, Code.FAILED) if isinstance(code, int) else Code.FAILED
    return VirtnodeError(known, error["message"], hint if isinstance(hint, str) else "")
