"""Where a bundle comes from: a server that may lie, an engine that may stop, and room that may be missing."""

import base64
import contextlib
import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nodeagent.state_disk import State, write_state
from nodeagent.update.engine_image import EngineImages
from nodeagent.update.fetch import fetch_url, find_room, make_staging, opened_url
from nodelib.bus_update import UpdateRun, UpdateSource, UpdateState
from nodelib.errors import Code, VirtnodeError
from nodelib.link_update import IMAGE_PART, LARGEST_IMAGE, ImagePart, ImagePartRequest, UpdateOrder
from tests.nodeagent.engine_double import wait_for
from tests.nodeagent.update.worlds import World, bundle_for, make_world


class Server(http.server.BaseHTTPRequestHandler):
    """Answers by the path."""

    content = b""

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path == "/silent":
            self.send_response(200)
            self.end_headers()
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.content) + 5))
            self.end_headers()
            self.wfile.write(self.content)
        elif path == "/good":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()
            # Who asks for the plan alone hangs up once it has that.
            with contextlib.suppress(OSError):
                self.wfile.write(self.content)
        else:
            self.send_error(404)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """Serve."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_node_updates_from_a_server(url: str, tmp_path: Path) -> None:
    """The plan needs the beginning alone; afterwards no file is left."""
    world = make_world(tmp_path)
    Server.content = bundle_for(tmp_path).read_bytes()
    assert world.update.plan(UpdateSource(f"{url}/good")).problems == ()
    before = sorted(path.name for path in (world.root / "var/lib/virtnode").iterdir())
    world.update.run(UpdateRun(f"{url}/good"), "alice")
    world.update.wait(60)
    assert world.update.view().state is UpdateState.READY
    after = sorted(path.name for path in (world.root / "var/lib/virtnode").iterdir())
    assert set(after) - set(before) == {"events.json", "update.json"} - set(before)


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("elsewhere", Code.UNAVAILABLE, "names another place"),
        ("silent", Code.INVALID, "does not say how large"),
        ("cut", Code.UNAVAILABLE, "ended too early|cannot be fetched"),
        ("none", Code.UNAVAILABLE, "answers 404"),
    ],
)
def test_a_server_that_does_not_serve_is_told(
    url: str, tmp_path: Path, path: str, code: Code, words: str
) -> None:
    """No other server is asked, and half a bundle is none."""
    write_state(tmp_path, State("disk"))
    with contextlib.ExitStack() as stack, pytest.raises(VirtnodeError, match=words) as caught:
        fetch_url(tmp_path, f"{url}/{path}?token=secret", stack, lambda count: None)
    assert caught.value.code is code
    assert "secret" not in caught.value.message


def test_a_url_that_leads_nowhere_is_told() -> None:
    """No such port, and nobody there."""
    for url in ("http://127.0.0.1:99999999/x", "http://127.0.0.1:9/x"):
        with pytest.raises(VirtnodeError), opened_url(url):
            pass


def test_room_is_looked_for_on_disk_and_in_memory(tmp_path: Path) -> None:
    """Each keeps something free; without room nothing begins."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n")
    assert find_room(tmp_path, 1 << 20) == tmp_path / "run/virtnode"
    assert find_room(tmp_path, 600 << 20) is None
    with pytest.raises(VirtnodeError, match="no room for the bundle, 600 MiB"):
        make_staging(tmp_path, 600 << 20)
    write_state(tmp_path, State("disk"))
    assert find_room(tmp_path, 1 << 20) == tmp_path / "var/lib/virtnode"
    with pytest.raises(VirtnodeError, match="larger than any"):
        make_staging(tmp_path, LARGEST_IMAGE + 1)


def order_for(content: bytes, digest: str = "") -> UpdateOrder:
    """Order a bundle."""
    digest = digest or hashlib.sha256(content).hexdigest()
    return UpdateOrder(digest, len(content), "2.0", "2222222222222222")


def part_of(content: bytes, request: ImagePartRequest) -> ImagePart:
    """Do what the engine does."""
    data = content[request.offset : request.offset + IMAGE_PART]
    return ImagePart(base64.b64encode(data).decode())


def pull(images: EngineImages, content: bytes, ended: threading.Event) -> None:
    """Be the link's thread; every other piece is lost with its connection."""
    turns = 0

    def call(request: ImagePartRequest) -> ImagePart:
        nonlocal turns
        turns += 1
        if turns % 2:
            raise VirtnodeError(Code.UNAVAILABLE, "the connection was lost")
        return part_of(content, request)

    while not ended.wait(0.001):
        with contextlib.suppress(VirtnodeError):
            images.fetch_next(call)


@contextlib.contextmanager
def engine_with(images: EngineImages, content: bytes) -> Iterator[None]:
    """Run an engine that has a bundle."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pull, images, content, ended)
        try:
            yield
        finally:
            ended.set()


def test_an_engine_orders_an_update(tmp_path: Path) -> None:
    """Piece by piece, over connections that break; then it is as with any other bundle."""
    world = make_world(tmp_path)
    content = bundle_for(tmp_path).read_bytes()
    with engine_with(world.images, content):
        world.update.order(order_for(content), "engine")
        world.update.wait(60)
    assert world.update.view().state is UpdateState.READY
    assert world.deeds == [("systemctl", "reboot")]
    assert {event.actor for event in world.events.waiting()} == {"engine"}


def test_what_an_engine_sends_is_checked(tmp_path: Path) -> None:
    """Another bundle than it ordered, nonsense, nothing any more, a size that cannot be."""
    images, target = EngineImages(), io.BytesIO()
    with engine_with(images, b"x" * 10), pytest.raises(VirtnodeError, match="not what the engine ordered"):
        images.fetch(order_for(b"x" * 10, "0" * 64), target, lambda count: None)
    with pytest.raises(VirtnodeError, match="sent nothing"):
        images.fetch(order_for(b"x"), target, lambda count: None, patience=0.01)
    for part in (ImagePart("no base64!"), ImagePart(""), ImagePart(base64.b64encode(b"xx").decode())):
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(images.fetch, order_for(b"x"), target, lambda count: None)
            wait_for(lambda: images.is_waiting)
            images.fetch_next(lambda request, part=part: part)  # type: ignore[misc]
            with pytest.raises(VirtnodeError, match="sent a piece"):
                waiting.result(10)
    assert not images.is_waiting
    world: World = make_world(tmp_path)
    for size in (0, LARGEST_IMAGE + 1):
        with pytest.raises(VirtnodeError, match="cannot have"):
            world.update.order(UpdateOrder("0" * 64, size, "2", "2"), "engine")
