"""Fetches one document by HTTP or HTTPS, from a server that is pinned or has a certificate that is known."""

import http.client
import ssl
import urllib.parse
from collections.abc import Sequence
from pathlib import Path

from nodeagent.join_error import JoinError
from nodeagent.trust import verify_pinned
from nodelib.errors import Code, VirtnodeError
from nodelib.urls import show_url

LARGEST = 1024 * 1024
TIMEOUT = 10.0


def fetch_document(url: str, pins: Sequence[str] = (), authorities: Sequence[Path] = ()) -> str:
    """Fetch a text.

    By HTTPS the server must show a certificate of a pinned authority, or one that an authority of the image
    or of `authorities` (PEM files) issued for its name. Raises VirtnodeError.
    """
    if pins and url.startswith("https:"):
        try:
            return _fetch(url, pins, ())
        except VirtnodeError as error:
            if error.code is not Code.DENIED:
                raise
    return _fetch(url, (), authorities)


def _fetch(url: str, pins: Sequence[str], authorities: Sequence[Path]) -> str:
    parts = urllib.parse.urlsplit(url)
    shown = show_url(url)
    connection = _connect(parts, pins, authorities)
    try:
        connection.connect()
        if pins:
            _check_pins(connection, pins)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request("GET", path, headers={"Accept": "application/toml, text/plain, */*"})
        answer = connection.getresponse()
        body = answer.read(LARGEST + 1)
    except (JoinError, ssl.SSLCertVerificationError) as error:
        reason = error.message if isinstance(error, JoinError) else error.verify_message
        raise VirtnodeError(
            Code.DENIED,
            f"{shown}: its certificate is not trusted: {reason}",
            "name the pin of its authority: node.ca=sha256:HEX",
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise VirtnodeError(Code.UNAVAILABLE, f"{shown}: it cannot be fetched: {reason}") from error
    finally:
        connection.close()
    if answer.status != 200:
        raise VirtnodeError(Code.UNAVAILABLE, f"{shown}: the server answers {answer.status} {answer.reason}")
    if len(body) > LARGEST:
        raise VirtnodeError(Code.INVALID, f"{shown}: it has more than {LARGEST} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise VirtnodeError(Code.INVALID, f"{shown}: it is no text in UTF-8") from error


def _connect(
    parts: urllib.parse.SplitResult, pins: Sequence[str], authorities: Sequence[Path]
) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port, timeout=TIMEOUT)
    context = ssl.create_default_context()
    for path in authorities:
        context.load_verify_locations(path)
    if pins:
        # Nothing is verified by TLS itself: the pin is, before anything is asked.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port, timeout=TIMEOUT, context=context)


def _check_pins(connection: http.client.HTTPConnection, pins: Sequence[str]) -> None:
    sock = connection.sock
    assert isinstance(sock, ssl.SSLSocket)
    verify_pinned(_chain(sock), pins)


def _chain(sock: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the server showed, DER, its own first."""
    public = getattr(sock, "get_unverified_chain", None)
    if public is not None:
        return [bytes(one) for one in public()]
    # Python before 3.13 has it one level below.
    found = sock._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in found]
