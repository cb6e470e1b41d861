"""News by HTTP: to a real server, one that is slow to come, and one that says no."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeagent.install.webhook import Courier, InstallNews, deliver, send_by_http

NEWS = InstallNews("started", "n1", "u", "m", "p", "b", "sda", "d", "s", 1, 1.0)


class Server(http.server.ThreadingHTTPServer):
    """Keeps what is posted; the first answers are what it is told to give."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[dict[str, object]] = []
        self.answers: list[int] = []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers a post."""

    def do_POST(self) -> None:
        """Keep it."""
        assert isinstance(self.server, Server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.answers.pop(0) if self.server.answers else 204
        if status == 204:
            self.server.got.append(body)
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    """Run a server."""
    running = Server()
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def test_news_arrives_in_order_though_the_server_comes_late(server: Server) -> None:
    """What a server that is not ready refuses is sent again."""
    server.answers = [503, 502]
    courier = Courier(f"http://127.0.0.1:{server.server_port}/hook", pause=0.0)
    for event in ("started", "succeeded"):
        courier.post(InstallNews(**{**vars(NEWS), "event": event}))
    courier.finish(10)
    assert [news["event"] for news in server.got] == ["started", "succeeded"]
    assert server.got[0]["schema"] == 1


def test_a_no_is_a_no(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """It is not tried again, and the journal says so without the address."""
    server.answers = [403]
    courier = Courier(f"http://127.0.0.1:{server.server_port}/hook?key=secret", pause=0.0)
    courier.post(NEWS)
    courier.finish(10)
    assert server.got == []
    assert "HTTP 403" in caplog.text
    assert "secret" not in caplog.text


def test_nobody_is_held_up(tmp_path: Path) -> None:
    """Where nobody listens, and where no address is set."""
    courier = Courier("http://127.0.0.1:1/hook", send_by_http, pause=60.0)
    courier.post(NEWS)
    courier.finish(0.1)
    Courier("").finish(60)


def test_what_is_no_http_is_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    """It is asked again, as long as there are tries; nothing dies of it."""
    caplog.set_level("INFO")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def babble() -> None:
            for _ in range(2):
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"SSH-2.0-OpenSSH_10.0\r\n")

        thread = threading.Thread(target=babble)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook?key=secret"
        assert not deliver(url, b"{}", "the survey", send_by_http, lambda: False, 2)
        thread.join(10)
    assert caplog.text.count("cannot be reached yet") == 2
    assert "secret" not in caplog.text
