"""Public keys from a web server: a real one, with TLS, that says what a test wants."""

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nodeagent.key_fetch import fetch_keys
from nodelib.errors import Code, VirtnodeError
from tests.nodeagent.authority import Authority
from tests.nodeagent.node_trees import SSH_KEY


@dataclass
class Site:
    """A web server."""

    authority: Authority
    pages: dict[str, bytes] = field(default_factory=dict)
    """What is at a path; one that begins with `https:` or `http:` is a redirection."""
    port: int = 0

    def context(self) -> ssl.SSLContext:
        """Trust its authority, by whatever name: the certificate has none."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        context.check_hostname = False
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def fetch(self, path: str) -> tuple[str, ...]:
        """Fetch keys from it."""
        return fetch_keys(f"https://127.0.0.1:{self.port}{path}", self.context)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Serve until the test ends."""
    site = Site(Authority(time.time()))

    class Handler(http.server.BaseHTTPRequestHandler):
        """Sends pages."""

        def do_GET(self) -> None:
            """Send one."""
            page = site.pages.get(self.path)
            if page is not None and page.startswith(b"http"):
                self.send_response(302)
                self.send_header("Location", page.decode())
                self.end_headers()
                return
            self.send_response(200 if page is not None else 404)
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, format: str, *words: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*site.authority.issue().write(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_are_found_once_each(site: Site) -> None:
    """Lines that are no keys, and keys with options, are left out."""
    site.pages["/keys"] = f'# mine\n{SSH_KEY}\n{SSH_KEY}\ncommand="x" {SSH_KEY}\nrubbish\n'.encode()
    assert site.fetch("/keys") == (SSH_KEY,)
    site.pages["/moved"] = f"https://127.0.0.1:{site.port}/keys".encode()
    assert site.fetch("/moved") == (SSH_KEY,)


def test_what_goes_wrong_is_one_line(site: Site) -> None:
    """No page, no keys, too much, another scheme behind a redirection: each is said."""
    site.pages |= {"/none": b"<html>", "/large": b"x" * 300_000}
    site.pages["/plain"] = f"http://127.0.0.1:{site.port}/none".encode()
    for path, code, words in (
        ("/absent", Code.NOT_FOUND, "404"),
        ("/none", Code.NOT_FOUND, "no public key"),
        ("/large", Code.INVALID, "larger than 256 KiB"),
        ("/plain", Code.UNAVAILABLE, "cannot be reached"),
    ):
        with pytest.raises(VirtnodeError, match=words) as caught:
            site.fetch(path)
        assert (caught.value.code, "\n" in caught.value.message) == (code, False)


@pytest.mark.parametrize(
    "url", ["http://keys.example.org/x", "ftp://x/", "file:///etc/passwd", "keys", "https://"]
)
def test_anything_but_https_is_refused(url: str) -> None:
    """Before anything is asked."""
    with pytest.raises(VirtnodeError, match="must be an https URL") as caught:
        fetch_keys(url)
    assert caught.value.code is Code.INVALID


def test_a_server_that_proves_nothing_is_not_believed(site: Site) -> None:
    """Its authority is not the system's."""
    site.pages["/keys"] = SSH_KEY.encode()
    with pytest.raises(VirtnodeError, match="does not prove who it is") as caught:
        fetch_keys(f"https://127.0.0.1:{site.port}/keys")
    assert caught.value.code is Code.DENIED


def test_a_server_that_is_not_there_is_said(site: Site) -> None:
    """With the host's name."""
    with pytest.raises(VirtnodeError, match=r"127\.0\.0\.1 cannot be reached"):
        fetch_keys("https://127.0.0.1:1/keys")
