"""Public keys from a web server that proves who it is, for a person to look at before they are let in."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlsplit

from nodeagent.intent_forms import is_ssh_key, is_url
from nodelib.errors import Code, VirtnodeError

SECONDS = 10.0
LARGEST = 256 * 1024
PIECE = 16 * 1024


def fetch_keys(
    url: str,
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[str, ...]:
    """Return the public keys that a URL has; raises VirtnodeError with one line for everything else."""
    if not is_url(url, ("https",), path=True, query=True):
        raise VirtnodeError(
            Code.INVALID, "the address must be an https URL", "such as https://keys.example.org/admin.keys"
        )
    text = _read(url, context(), clock)
    keys = tuple(dict.fromkeys(line for line in map(str.strip, text.splitlines()) if is_ssh_key(line)))
    if not keys:
        raise VirtnodeError(
            Code.NOT_FOUND,
            f"there is no public key at {url}",
            "it must be a text of public keys, one a line, without options",
        )
    return keys


def _read(url: str, context: ssl.SSLContext, clock: Callable[[], float]) -> str:
    host = urlsplit(url).hostname
    deadline = clock() + SECONDS
    try:
        with _opener(context).open(url, timeout=SECONDS) as response:
            data = b""
            while piece := response.read1(PIECE):
                data += piece
                if len(data) > LARGEST:
                    raise VirtnodeError(Code.INVALID, f"{url} is larger than {LARGEST // 1024} KiB")
                if clock() > deadline:
                    raise TimeoutError
    except urllib.error.HTTPError as error:
        raise VirtnodeError(Code.NOT_FOUND, f"{host} answers {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _unreachable(str(host), error.reason) from error
    except (OSError, HTTPException) as error:
        raise _unreachable(str(host), error) from error
    return data.decode(errors="replace")


def _opener(context: ssl.SSLContext) -> urllib.request.OpenerDirector:
    """Make what speaks https alone: no other scheme is known to it, wherever a redirection leads."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _unreachable(host: str, reason: object) -> VirtnodeError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return VirtnodeError(
            Code.DENIED,
            f"{host} does not prove who it is: {reason.verify_message}",
            "its certificate must be of an authority that this image trusts, and the clock right",
        )
    if isinstance(reason, TimeoutError):
        return VirtnodeError(Code.UNAVAILABLE, f"{host} does not answer within {SECONDS:.0f} s")
    return VirtnodeError(Code.UNAVAILABLE, f"{host} cannot be reached: {reason}", "test the network")
