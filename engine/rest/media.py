"""Which media type a client wants, and how a body came."""

from starlette.requests import Request

from engine.rest.bodies import MAX_BODY, read_json, read_xml
from engine.rest.faults import Refusal
from engine.rest.represent import JSON, XML
from engine.rest.shapes import Document, Shape

_XML_NAMES = ("application/xml", "text/xml")
FORM = "application/x-www-form-urlencoded"


def choose_media_type(accept: str) -> str:
    """Choose XML or JSON by an Accept header; XML where both are as welcome. Raises Refusal (406)."""
    weights = {XML: 0.0, JSON: 0.0}
    precision = {XML: -1, JSON: -1}
    for item in (accept or "*/*").split(","):
        name, *parameters = (piece.strip().lower() for piece in item.split(";"))
        for known in weights:
            match = _precision(name, known)
            if match > precision[known]:
                weights[known], precision[known] = _weight(parameters), match
    best = XML if weights[XML] >= weights[JSON] else JSON
    if weights[best] <= 0:
        raise Refusal(406, "invalid", f"the answer can be {XML} or {JSON}, and Accept has neither")
    return best


async def read_body(request: Request) -> bytes:
    """Read a request's body. Raises Refusal (413) for more than MAX_BODY."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, "invalid", f"a body has at most {MAX_BODY} bytes")
    return bytes(body)


def read_document(shape: Shape, content_type: str, body: bytes) -> Document:
    """Understand a body; without one all fields are absent. Raises Refusal (415), VirtnodeError (invalid)."""
    if not body.strip():
        return {}
    name = content_type.partition(";")[0].strip().lower()
    if name == JSON:
        return read_json(shape, body)
    if name in _XML_NAMES or not name:
        return read_xml(shape, body)
    raise Refusal(415, "invalid", f"a body is {XML} or {JSON}, not {name[:60]}")


def _precision(name: str, known: str) -> int:
    """Tell how exactly a range of media types names one: -1 for not at all."""
    if name == known or (known == XML and name in _XML_NAMES):
        return 2
    return {known.partition("/")[0] + "/*": 1, "*/*": 0}.get(name, -1)


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return min(1.0, max(0.0, float(parameter[2:])))
            except ValueError:
                return 0.0
    return 1.0
