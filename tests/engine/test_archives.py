"""Support archives on the engine: taken whole or not at all, bounded, listed, saved, removed."""

import base64
import dataclasses
import hashlib
from pathlib import Path

import pytest

from engine.archives import MOST_OF_NODE, Archives
from engine.events import Actor
from engine.main import main
from engine.simulate import SimulatedNode, Wire
from engine.store.database import open_store
from nodelib.errors import Code, VirtnodeError
from nodelib.link import ARCHIVE_PART, LARGEST_ARCHIVE, SEND_ARCHIVE, ArchivePart, ArchiveReply
from tests.engine.links import join, open_link
from tests.engine.worlds import ADMIN, Clock, World, engine_at_work, in_loop

NODE = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"


def parts_of(content: bytes, length: int = ARCHIVE_PART) -> list[ArchivePart]:
    """Cut an archive into pieces."""
    digest = hashlib.sha256(content).hexdigest()
    return [
        ArchivePart(
            digest, len(content), offset, base64.b64encode(content[offset : offset + length]).decode()
        )
        for offset in range(0, len(content), length)
    ]


def send(archives: Archives, content: bytes, node: str = NODE, length: int = ARCHIVE_PART) -> str:
    """Send an archive piece by piece; returns its identifier."""
    replies = [archives.take(node, part) for part in parts_of(content, length)]
    assert [reply.identifier for reply in replies[:-1]] == [""] * (len(replies) - 1)
    assert replies[-1].received == len(content)
    return replies[-1].identifier


@pytest.fixture
def clock() -> Clock:
    """Make a clock to move."""
    return Clock()


@pytest.fixture
def archives(world: World, tmp_path: Path, clock: Clock) -> Archives:
    """Keep archives in a folder of the test."""
    return Archives(tmp_path, world.store, clock)


def test_what_is_sent_in_pieces_is_kept_whole(world: World, archives: Archives, clock: Clock) -> None:
    """Bytes, size, time and node; the log tells who sent, read and removed it."""
    content = bytes(range(256)) * 10
    identifier = send(archives, content, length=1000)
    (found,) = archives.list()
    assert (found.id, found.node, found.size_bytes, found.time) == (identifier, NODE, 2560, clock.now)
    assert found.path.stat().st_mode & 0o077 == 0
    assert archives.read(identifier, Actor("alice")) == content
    archives.remove(identifier, Actor("alice"))
    assert archives.list() == ()
    assert world.event_kinds() == ["archive-received", "archive-read", "archive-removed"]


def test_what_is_damaged_or_out_of_order_is_refused(archives: Archives) -> None:
    """Nothing of it is left, and the same archive may be sent again."""
    first, second, third = parts_of(b"abcdefghi", 3)
    archives.take(NODE, first)
    with pytest.raises(VirtnodeError, match="3 bytes are here") as caught:
        archives.take(NODE, third)
    assert caught.value.code is Code.CONFLICT
    archives.take(NODE, second)
    with pytest.raises(VirtnodeError, match="damaged on its way"):
        archives.take(NODE, dataclasses.replace(third, data=base64.b64encode(b"xyz").decode()))
    assert archives.list() == ()
    assert send(archives, b"abcdefghi", length=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": "../../etc/passwd"}, "no SHA-256"),
        ({"size_bytes": LARGEST_ARCHIVE + 1}, "at most 64 MiB"),
        ({"size_bytes": 0}, "at most 64 MiB"),
        ({"data": "???"}, "no base64"),
        ({"data": ""}, "does not lie within"),
        ({"offset": -1}, "does not lie within"),
        ({"offset": 8}, "does not lie within"),
        ({"data": base64.b64encode(b"x" * 20).decode()}, "does not lie within"),
    ],
)
def test_what_is_no_piece_is_refused(archives: Archives, change: dict[str, object], words: str) -> None:
    """Before anything is written."""
    part = dataclasses.replace(parts_of(b"archive")[0], **change)  # type: ignore[arg-type]
    with pytest.raises(VirtnodeError, match=words) as caught:
        archives.take(NODE, part)
    assert caught.value.code is Code.INVALID
    with pytest.raises(VirtnodeError, match="no node"):
        archives.take("../x", parts_of(b"archive")[0])
    assert archives.list() == ()


def test_a_node_keeps_its_latest_and_no_other_node_loses_any(archives: Archives, clock: Clock) -> None:
    """The oldest make room, and what was never finished goes."""
    other = send(archives, b"of another", OTHER)
    sent = []
    for number in range(MOST_OF_NODE + 2):
        clock.now += 1
        archives.take(NODE, parts_of(b"never finished", 3)[0])
        sent.append(send(archives, b"%d" % number))
    assert [one.id for one in archives.list(NODE)] == sent[:1:-1]
    assert [one.id for one in archives.list(OTHER)] == [other]
    assert list(archives.list()[0].path.parent.glob(".*")) == []
    with pytest.raises(VirtnodeError, match="no archive"):
        archives.get(other, NODE)


def test_pieces_of_the_largest_size_fit_a_frame() -> None:
    """With all that JSON adds."""
    assert len(parts_of(b"x" * ARCHIVE_PART)[0].data) < (1 << 20) - 1000


@in_loop
async def test_only_a_node_that_was_let_in_may_send(tmp_path: Path) -> None:
    """Over the link: a stranger is refused, a node is answered, and its own folder has the archive."""
    async with engine_at_work(tmp_path / "home") as engine:
        part = parts_of(b"archive")[0]
        async with open_link(engine) as connection:
            wire = Wire(connection)
            await wire.hello()
            with pytest.raises(VirtnodeError, match="only register is answered") as caught:
                await wire.call(SEND_ARCHIVE, part)
            assert caught.value.code is Code.DENIED
        assert not (tmp_path / "home/archives").exists()
        node = await join(engine)
        async with open_link(engine, node) as connection:
            wire = Wire(connection)
            await wire.hello()
            reply: ArchiveReply = await wire.call(SEND_ARCHIVE, part)
        kept = tmp_path / f"home/archives/{node.id}/{reply.identifier}.tar.gz"
        assert kept.read_bytes() == b"archive"


def test_the_command_line_lists_saves_and_removes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a running engine as with one; what is not there is one line."""
    home = tmp_path / "home"
    home.mkdir()
    store = open_store(f"sqlite:///{home}/engine.db")
    identifier = send(Archives(home, store, lambda: 1_800_000_000.0), b"archive")
    store.close()

    def run(*words: str | Path) -> int:
        return main(["archives", *map(str, words), "--home", str(home)])

    assert run("list") == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        identifier, NODE, "0.0", "MiB", "2027-01-15", "08:00:00", "UTC",
    ]  # fmt: skip
    assert run("list", "--json") == 0
    assert '"size_bytes": 7' in capsys.readouterr().out
    assert run("save", identifier, tmp_path / "out.tar.gz") == 0
    assert (tmp_path / "out.tar.gz").read_bytes() == b"archive"
    assert run("save", identifier, tmp_path / "absent/out") == 1
    assert run("remove", identifier) == 0
    assert run("remove", identifier) == 1
    assert f"there is no archive {identifier}" in capsys.readouterr().err


def test_archives_outlive_their_node(world: World, archives: Archives) -> None:
    """A node that is removed leaves them to whoever looks for the reason."""
    node: SimulatedNode = world.joined()
    identifier = send(archives, b"archive", node.id)
    world.nodes.remove(node.id, ADMIN)
    assert archives.get(identifier).node == node.id
