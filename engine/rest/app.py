"""The web application: routes made of the table of endpoints, and what happens around each of them."""

import logging
import time
import urllib.parse
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.printable import printable
from engine.rest.authentication import check_role
from engine.rest.endpoint import Call, Endpoint, Plain, read_query
from engine.rest.endpoints import ENDPOINTS
from engine.rest.faults import BROKEN, Refusal, refuse
from engine.rest.media import FORM, choose_media_type, read_body, read_document
from engine.rest.represent import JSON, XML, represent
from engine.rest.resources import FAULT
from engine.rest.services import Services
from engine.rest.shapes import Document
from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

LONGEST_CORRELATION = 100


def make_app(services: Services, endpoints: Sequence[Endpoint] = ENDPOINTS) -> ASGIApp:
    """Make the application."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    routes = [
        Route(path, _make_handler(services, methods), methods=list(methods))
        for path, methods in by_path.items()
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _answer_http_exception})
    app.router.redirect_slashes = False
    return _WithoutTrailingSlash(app)


class _WithoutTrailingSlash:
    """Takes `/api/` for `/api`: clients write both, and some do not follow a redirection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and len(scope["path"]) > 1:
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)


def _make_handler(
    services: Services, methods: Mapping[str, Endpoint]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        begun = time.perf_counter()
        response = await _answer(services, endpoint, request)
        services.metrics.observe(
            endpoint.method, endpoint.path, response.status_code, time.perf_counter() - begun
        )
        return response

    return handle


async def _answer(services: Services, endpoint: Endpoint, request: Request) -> Response:
    media_type = XML
    try:
        media_type = _media_type(endpoint, request)
        call = await _make_call(services, endpoint, request)
        found = await endpoint.handler(call)
        if isinstance(found, Plain):
            return Response(found.body, found.status, dict(found.headers), found.media_type)
        assert endpoint.reply is not None, endpoint.path
        # Long lists are written where they hold nobody up.
        content = await anyio.to_thread.run_sync(represent, endpoint.reply, found, media_type)
        return Response(content, media_type=media_type)
    except Refusal as refusal:
        return _fault(refusal, media_type)
    except VirtnodeError as error:
        return _fault(refuse(error), media_type)
    except Exception:  # the outermost loop of a request: whoever asks gets an answer in the API's own form
        logger.exception("%s %s", endpoint.method, endpoint.path)
        return _fault(BROKEN, media_type)


async def _make_call(services: Services, endpoint: Endpoint, request: Request) -> Call:
    """Understand a request: who asks, whether they may, and only then what."""
    address = request.client.host if request.client else "unknown"
    account = None
    if endpoint.role is not None:
        account = await services.doorkeeper.identify(request, address)
        check_role(account, endpoint.role)
    body = await read_body(request)
    document: Document = {}
    if endpoint.body:
        document = read_document(endpoint.body, request.headers.get("content-type", ""), body)
    correlation = request.headers.get("correlation-id") or request.query_params.get("correlation_id")
    return Call(
        services=services,
        path=request.path_params,
        query=read_query(endpoint.parameters, request.query_params),
        body=document,
        form=_read_form(request, body) if endpoint.form else {},
        address=address,
        account=account,
        correlation=printable(correlation or str(uuid.uuid4()), LONGEST_CORRELATION),
    )


def _read_form(request: Request, body: bytes) -> dict[str, str]:
    name = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and name != FORM:
        raise Refusal(415, Code.INVALID.value, f"a form is {FORM}")
    try:
        pairs = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise Refusal(400, Code.INVALID.value, "the form is not written as it should be") from error
    return dict(pairs)


def _media_type(endpoint: Endpoint, request: Request) -> str:
    """Choose how to answer; what is no resource has one media type, and its faults are of the nearest."""
    if endpoint.reply is None:
        return JSON if endpoint.media_type == JSON else XML
    return choose_media_type(request.headers.get("accept", ""))


def _fault(refusal: Refusal, media_type: str) -> Response:
    content = represent(FAULT, refusal.document, media_type)
    return Response(content, refusal.status, dict(refusal.headers), media_type)


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer for what has no endpoint."""
    assert isinstance(error, HTTPException)
    try:
        media_type = choose_media_type(request.headers.get("accept", ""))
    except Refusal:
        media_type = XML
    reason = {404: Code.NOT_FOUND.value, 405: Code.INVALID.value}.get(error.status_code, Code.FAILED.value)
    detail = {
        404: f"there is nothing at {request.url.path[:100]}: see /ovirt-engine/api",
        405: f"{request.method} is not done here",
    }.get(error.status_code, error.detail)
    return _fault(Refusal(error.status_code, reason, detail, error.headers or {}), media_type)
