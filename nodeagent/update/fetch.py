"""Where a bundle comes from: a file, or a server, by way of a file that has no name and leaves nothing."""

import contextlib
import http.client
import os
import ssl
import tempfile
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from nodeagent.facts.processor import collect_memory
from nodeagent.state_disk import read_state
from nodelib.errors import Code, VirtnodeError
from nodelib.link_update import LARGEST_IMAGE
from nodelib.slots import MEBIBYTE
from nodelib.urls import show_url

STATE_FOLDER, MEMORY_FOLDER = "var/lib/virtnode", "run/virtnode"
SPARE_DISK, SPARE_MEMORY = 64 * MEBIBYTE, 512 * MEBIBYTE
"""What must stay free beside a bundle."""
TIMEOUT = 30.0
OnBytes = Callable[[int], None]


def is_url(where: str) -> bool:
    """Tell whether a bundle has to be fetched."""
    return where.startswith(("http://", "https://"))


@contextlib.contextmanager
def opened_file(where: str) -> Iterator[IO[bytes]]:
    """Open a bundle where it is; raises VirtnodeError (invalid, not-found)."""
    path = Path(where)
    if not path.is_absolute():
        raise VirtnodeError(Code.INVALID, f"{where} is no whole path", "give the path from / on, or a URL")
    try:
        if not path.is_file():
            raise VirtnodeError(Code.NOT_FOUND, f"there is no file {where}", "give its path on this node")
        with path.open("rb") as file:
            yield file
    except PermissionError as error:
        raise VirtnodeError(Code.DENIED, f"{where} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def opened_url(url: str) -> Iterator[tuple[IO[bytes], int]]:
    """Ask a server for a bundle, and yield what comes, with its size.

    No other server is asked, whatever it says. Raises VirtnodeError (unavailable, denied, invalid).
    """
    parts, shown = urllib.parse.urlsplit(url), show_url(url)
    with contextlib.closing(_connect(parts)) as connection:
        try:
            connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
            answer = connection.getresponse()
        except ssl.SSLCertVerificationError as error:
            raise VirtnodeError(
                Code.DENIED,
                f"{shown}: its certificate is not trusted: {error.verify_message}",
                "http does as well: the bundle itself is signed",
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _unreachable(shown, error) from error
        with answer:
            _check_answer(answer, shown)
            try:
                yield answer, answer.length or 0
            except (OSError, http.client.HTTPException) as error:
                raise _unreachable(shown, error) from error


def fetch_url(root: Path, url: str, stack: contextlib.ExitStack, on_bytes: OnBytes) -> IO[bytes]:
    """Fetch a bundle into a file that ends with `stack`; raises VirtnodeError, and leaves nothing then."""
    with opened_url(url) as (stream, size):
        target = stack.enter_context(make_staging(root, size))
        left = size
        while left:
            block = stream.read(min(MEBIBYTE, left))
            if not block:
                raise VirtnodeError(
                    Code.UNAVAILABLE, f"{show_url(url)}: the connection ended too early", "try again"
                )
            target.write(block)
            left -= len(block)
            on_bytes(len(block))
    target.seek(0)
    return target


def make_staging(root: Path, size: int) -> IO[bytes]:
    """Make a file without a name where there is room for a bundle; it is gone with this process.

    Raises VirtnodeError (failed) where there is no room.
    """
    if size > LARGEST_IMAGE:
        raise VirtnodeError(
            Code.INVALID, f"a bundle of {size >> 20} MiB is larger than any that belongs here"
        )
    folder = find_room(root, size)
    if folder is None:
        raise VirtnodeError(
            Code.FAILED,
            room_problem(root, size),
            "put it on a USB drive, mount that, and give the file's path",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder, prefix="update-")


def find_room(root: Path, size: int) -> Path | None:
    """Choose the state disk, or the memory; None where neither has room."""
    if read_state(root).kind == "disk" and _free(root / STATE_FOLDER) >= size + SPARE_DISK:
        return root / STATE_FOLDER
    if collect_memory(root).available_bytes >= size + SPARE_MEMORY and _free(root / MEMORY_FOLDER) >= size:
        return root / MEMORY_FOLDER
    return None


def room_problem(root: Path, size: int) -> str:
    """Say that there is no room for a bundle; empty where there is."""
    if find_room(root, size) is not None:
        return ""
    return f"no room for the bundle, {-(-size >> 20)} MiB: neither the state disk nor the memory has it"


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _connect(parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise VirtnodeError(Code.INVALID, "the URL's port is none") from error
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT)


def _check_answer(answer: http.client.HTTPResponse, shown: str) -> None:
    if 300 <= answer.status < 400:
        raise VirtnodeError(
            Code.UNAVAILABLE, f"{shown}: the server names another place", "give that URL itself"
        )
    if answer.status != 200:
        raise VirtnodeError(Code.UNAVAILABLE, f"{shown}: the server answers {answer.status}")
    if not answer.length:
        raise VirtnodeError(Code.INVALID, f"{shown}: the server does not say how large it is")


def _unreachable(shown: str, error: Exception) -> VirtnodeError:
    reason = str(error) or type(error).__name__
    return VirtnodeError(Code.UNAVAILABLE, f"{shown}: it cannot be fetched: {reason}", "try again")
