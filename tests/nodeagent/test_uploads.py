"""Archives on their way to the engine: the node's own link, against the engine itself."""

import io
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.archives import Archives
from engine.options import ServeOptions
from engine.serve import Engine, running_engine
from engine.store import event_rows
from nodeagent.uploads import Uploads
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ARCHIVE_PART, LARGEST_ARCHIVE, ArchivePart, ArchiveReply
from tests.engine.links import make_token
from tests.engine.rest.threads import in_thread
from tests.nodeagent.authority import Authority
from tests.nodeagent.engine_double import EngineDouble, wait_for
from tests.nodeagent.node_double import Settings, linked_node
from tests.nodeagent.test_link import authority, engine

__all__ = ["authority", "engine"]


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Engine]:
    """Run the engine itself."""
    options = ServeOptions(tmp_path / "home", "", "127.0.0.1", 0, 0, ("127.0.0.1",))
    options.home.mkdir(mode=0o700)
    with in_thread(lambda: running_engine(options, io.StringIO())) as running:
        yield running


def test_a_node_sends_an_archive_in_pieces(real: Engine, tmp_path: Path) -> None:
    """Byte by byte the same on the other side, below the node's own name; then the next one."""
    settings = Settings(f"127.0.0.1:{real.link_port}", (real.pki.active().pin,), make_token(real))
    content = os.urandom(2 * ARCHIVE_PART + 7)
    with linked_node(tmp_path / "node", settings) as node:
        wait_for(lambda: node.progress.connected)
        identifiers = [node.joining.uploads.send(data, 30) for data in (content, b"small")]
        assert node.progress.connected
        membership = node.joining.identity.membership()
    archives = Archives(tmp_path / "home", real.store, time.time)
    kept = {one.id: one for one in archives.list()}
    assert kept[identifiers[0]].path.read_bytes() == content
    assert kept[identifiers[1]].path.read_bytes() == b"small"
    assert {one.node for one in kept.values()} == {membership.node}


def test_the_engine_keeps_who_on_the_node_did_it(real: Engine, tmp_path: Path) -> None:
    """What a person there changed is in the engine's log with their name, before and after."""
    settings = Settings(f"127.0.0.1:{real.link_port}", (real.pki.active().pin,), make_token(real))
    with linked_node(tmp_path / "node", settings) as node:
        wait_for(lambda: node.progress.connected)
        events = node.joining.events
        events.add(kind="config-confirmed", text="kept", actor="alice", before={"x": "1"}, after={"x": "2"})
        assert events.wait_until_reported(20)
        name = node.joining.identity.membership().node
    with real.store.read() as connection:
        (row,) = (one for one in event_rows.list_events(connection) if one.kind == "config-confirmed")
    assert (row.actor, row.before, row.after) == (f"node:{name}/alice", '{"x": "1"}', '{"x": "2"}')


def test_an_engine_that_knows_no_archives_says_so(
    engine: EngineDouble, authority: Authority, tmp_path: Path
) -> None:
    """An older engine refuses, and the link goes on."""
    engine.knows_archives = False
    with linked_node(tmp_path, Settings(engine.address, (authority.pin,))) as node:
        wait_for(lambda: node.progress.connected)
        with pytest.raises(VirtnodeError) as caught:
            node.joining.uploads.send(b"archive", 30)
        assert caught.value.code is Code.NOT_FOUND
        assert node.progress.connected


def test_what_cannot_be_sent_is_told() -> None:
    """Too large, another on its way, a connection that breaks, and nobody who takes it."""
    uploads = Uploads()
    with pytest.raises(VirtnodeError, match="larger than 64 MiB"):
        uploads.send(b"x" * (LARGEST_ARCHIVE + 1), 1)
    with pytest.raises(VirtnodeError, match="did not take the archive in time") as caught:
        uploads.send(b"x", 0.01)
    assert (caught.value.code, uploads.is_waiting) == (Code.UNAVAILABLE, False)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(uploads.send, b"x", 30)
        wait_for(lambda: uploads.is_waiting)
        with pytest.raises(VirtnodeError, match="on its way already"):
            uploads.send(b"y", 1)
        uploads.fail(VirtnodeError(Code.UNAVAILABLE, "the connection to the engine was lost"))
        with pytest.raises(VirtnodeError, match="was lost"):
            sending.result(10)


def test_a_link_that_breaks_in_the_midst_is_told_to_both() -> None:
    """Whoever waits for the archive hears of it, and so does the link."""
    uploads, refused = Uploads(), threading.Event()

    def send(part: ArchivePart) -> ArchiveReply:
        refused.set()
        raise VirtnodeError(Code.UNAVAILABLE, "the engine closed the connection")

    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(uploads.send, b"x", 30)
        wait_for(lambda: uploads.is_waiting)
        with pytest.raises(VirtnodeError, match="closed the connection"):
            uploads.send_next(send)
        with pytest.raises(VirtnodeError, match="closed the connection"):
            sending.result(10)
    assert refused.is_set()
