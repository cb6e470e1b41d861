"""Images: what is taken in, what is refused, and who may fetch a part."""

import base64
import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backup import restore_backup, write_backup
from engine.bundles import read_bundle
from engine.images import Images, choose_image
from engine.nodes import Identity
from engine.rolls import Rolls, RollWish
from engine.store.database import open_store
from engine.updates import Updates, UpdateWish
from nodelib.errors import Code, VirtnodeError
from nodelib.link_update import IMAGE_PART, ImagePartRequest
from nodelib.update_bundle import MANIFEST, ROOT_IMAGE, SIGNATURES, BundleSignatures
from tests.engine.bundles import Members, make_members, write_bundle, write_members
from tests.engine.worlds import ADMIN, START, World


@pytest.fixture
def images(world: World, tmp_path: Path) -> Images:
    """Keep images beside an engine's database."""
    return Images(tmp_path, world.store, world.clock)


def ordered(world: World, images: Images, number: int = 0) -> str:
    """Make a node that was told to take the newest image; returns its identifier."""
    node = world.joined(number)
    world.nodes.connected(Identity(node.id, world.nodes.get(node.id).fingerprint), object())
    world.nodes.heartbeat(node.id, node.heartbeat(1.0, with_facts=True))
    Updates(world.store, world.nodes, images, world.clock).begin(node.id, UpdateWish(), ADMIN)
    return node.id


def test_an_image_is_taken_in_and_found(images: Images, world: World, tmp_path: Path) -> None:
    """By version, build, digest and its beginning; it is there once, its file as it was, and private."""
    source = write_bundle(tmp_path, size=3000)
    first, second = images.add(source, ADMIN), images.add(source, ADMIN)
    assert first.row == second.row
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    for words in (digest, digest[:8], "0.2.0", "build-0.2.0"):
        assert images.find(words).row.digest == digest
    kept = tmp_path / "images" / f"{digest}.update"
    assert kept.read_bytes() == source.read_bytes()
    assert kept.stat().st_mode & 0o077 == 0
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert world.event_kinds().count("image-added") == 1
    assert images.packages_of("build-0.2.0") == {"simulated": "build-0.2.0", "virtnode": "0.2.0"}
    assert images.packages_of("build-0.3.0") is None


def test_two_images_of_a_version_are_told_apart(images: Images, tmp_path: Path) -> None:
    """The version alone is not enough then, and the hint has the digests."""
    for build in ("one", "two"):
        images.add(write_members(tmp_path / build, make_members(build_id=build)), ADMIN)
    with pytest.raises(VirtnodeError, match=r"more than one image is 0\.2\.0") as refused:
        images.find("0.2.0")
    assert images.find("one").row.digest[:12] in refused.value.hint
    with pytest.raises(VirtnodeError, match="there is no image"):
        images.find("0.9.0")


def drop(name: str) -> Callable[[Members], Members]:
    """Lose a member."""
    return lambda members: {key: content for key, content in members.items() if key != name}


def put(name: str, content: bytes) -> Callable[[Members], Members]:
    """Change a member, or add one."""
    return lambda members: {**members, name: content}


BAD: dict[str, Callable[[Members], Members]] = {
    "without a manifest": drop(MANIFEST),
    "without signatures": drop(SIGNATURES),
    "without its root": drop(ROOT_IMAGE),
    "with another root": put(ROOT_IMAGE, b"something else"),
    "with one more file": put("more", b"x"),
    "in another order": lambda members: dict(reversed(list(members.items()))),
    "with a manifest that is no JSON": put(MANIFEST, b"{"),
    "with a manifest of another kind": put(MANIFEST, b'{"schema": 1}'),
    "with a nameless manifest": lambda members: {**members, MANIFEST: make_members(build_id="")[MANIFEST]},
    "with signatures that are none": put(SIGNATURES, b"[]"),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_broken_bundle_is_refused(
    images: Images, tmp_path: Path, change: Callable[[Members], Members]
) -> None:
    """One line says that it is broken, and nothing of it stays."""
    source = write_members(tmp_path / "bad.update", change(make_members()))
    with pytest.raises(VirtnodeError, match="is no update, or is broken") as refused:
        images.add(source, ADMIN)
    assert refused.value.code is Code.INVALID
    assert images.list() == ()
    assert not list((tmp_path / "images").glob("*"))


def test_what_is_cut_short_or_no_archive_is_refused(images: Images, tmp_path: Path) -> None:
    """At every length that matters, and for what is no archive at all."""
    whole = write_bundle(tmp_path).read_bytes()
    bad = tmp_path / "cut.update"
    for length in (0, 100, 512, 1024, 3000, len(whole) // 2):
        bad.write_bytes(whole[:length])
        with pytest.raises(VirtnodeError, match="is no update"):
            images.add(bad, ADMIN)
    bad.write_bytes(b"x" * 20_000)
    with pytest.raises(VirtnodeError, match="is no update"):
        read_bundle(bad)
    with pytest.raises(VirtnodeError, match="there is no file"):
        images.add(tmp_path / "nothing", ADMIN)


def test_a_header_that_claims_too_much_takes_no_memory(tmp_path: Path) -> None:
    """An extended header of gigabytes is refused before it is read."""
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 32
    bad = tmp_path / "bad.update"
    with bad.open("wb") as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        file.truncate(1 << 20)
    with pytest.raises(VirtnodeError, match="is no update"):
        read_bundle(bad)


def test_an_unsigned_bundle_is_refused_with_a_hint(images: Images, tmp_path: Path) -> None:
    """Nodes would refuse it as well."""
    source = write_members(tmp_path / "x", make_members(signatures=BundleSignatures()))
    with pytest.raises(VirtnodeError, match="is not signed") as refused:
        images.add(source, ADMIN)
    assert refused.value.code is Code.DENIED
    assert "a key that they trust" in refused.value.hint


def test_a_bundle_of_a_newer_kind_says_so(images: Images, tmp_path: Path) -> None:
    """The engine is what is to be updated first."""
    source = write_members(tmp_path / "x", make_members(schema=2))
    with pytest.raises(VirtnodeError, match="of a newer kind") as refused:
        images.add(source, ADMIN)
    assert refused.value.code is Code.CONFLICT


def test_only_a_node_that_was_told_to_may_fetch(images: Images, world: World, tmp_path: Path) -> None:
    """In parts of a fixed size, within the file, and of that image alone."""
    source = write_bundle(tmp_path, size=400_000)
    digest = images.add(source, ADMIN).row.digest
    node, other = ordered(world, images), world.joined(1).id
    content, offset = b"", 0
    while offset < source.stat().st_size:
        data = base64.b64decode(images.read_part(node, ImagePartRequest(digest, offset)).data)
        assert 0 < len(data) <= IMAGE_PART
        content, offset = content + data, offset + len(data)
    assert content == source.read_bytes()
    for asker, request, code in (
        (other, ImagePartRequest(digest, 0), Code.DENIED),
        (node, ImagePartRequest("../engine.db", 0), Code.DENIED),
        (node, ImagePartRequest(digest, len(content)), Code.INVALID),
        (node, ImagePartRequest(digest, -1), Code.INVALID),
    ):
        with pytest.raises(VirtnodeError) as refused:
            images.read_part(asker, request)
        assert refused.value.code is code


def test_an_image_in_use_stays(images: Images, world: World, tmp_path: Path) -> None:
    """A node that is updated to it, or a roll, keeps it; then it goes with its file."""
    images.add(write_bundle(tmp_path), ADMIN)
    node = ordered(world, images)
    with pytest.raises(VirtnodeError, match=r"is updated to 0\.2\.0"):
        images.remove("0.2.0", ADMIN)
    world.nodes.remove(node, ADMIN)
    updates = Updates(world.store, world.nodes, images, world.clock)
    rolls = Rolls(world.store, world.nodes, images, updates, world.clock)
    rolls.start("Default", RollWish("0.2.0"), ADMIN)
    with pytest.raises(VirtnodeError, match="at this moment"):
        images.remove("0.2.0", ADMIN)
    assert not rolls.advance()
    images.remove("0.2.0", ADMIN)
    assert images.list() == ()
    assert not list((tmp_path / "images").iterdir())


def test_a_backup_has_the_list_and_not_the_files(
    images: Images, world: World, database: str, tmp_path: Path
) -> None:
    """A row without its file is told; nobody is updated to it until the same file is added again."""
    source = write_bundle(tmp_path)
    images.add(source, ADMIN)
    write_backup(tmp_path, world.store, tmp_path / "backup.tar", START)
    home = tmp_path / "restored"
    url = "" if world.store.dialect == "sqlite" else database
    restore_backup(home, url, tmp_path / "backup.tar")
    store = open_store(url or f"sqlite:///{home}/engine.db")
    restored = Images(home, store, world.clock)
    assert [image.here for image in restored.list()] == [False]
    with pytest.raises(VirtnodeError, match="is not in the engine's folder") as refused:
        ordered(world, restored)
    assert "virtnode-engine image add" in refused.value.hint
    restored.add(source, ADMIN)
    assert [image.here for image in restored.list()] == [True]
    store.close()


def test_what_nobody_knows_goes_when_the_next_is_added(images: Images, tmp_path: Path) -> None:
    """An interrupted copy, and a bundle without a row."""
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / ".0123.part").write_bytes(b"x")
    (folder / f"{'0' * 64}.update").write_bytes(b"x")
    images.add(write_bundle(tmp_path), ADMIN)
    assert len(list(folder.iterdir())) == 1


def test_the_newest_image_that_fits_is_chosen(images: Images, world: World, tmp_path: Path) -> None:
    """Another architecture or distribution is passed over, and so is what is older than what runs."""
    node = world.nodes.get(world.joined().id)
    for name, changes in (
        ("0.2.0", {}),
        ("0.3.0", {"system": "Other Linux 9"}),
        ("0.4.0", {"architecture": "aarch64"}),
        ("0.1.0", {"build_id": "simulated-0", "made": 1.0}),
    ):
        images.add(write_bundle(tmp_path, name, **changes), ADMIN)
    rows = [image.row for image in images.list()]
    chosen = choose_image(rows, node)
    assert chosen is not None
    assert chosen.version == "0.2.0"
    assert choose_image([row for row in rows if row.version in ("0.1.0", "0.3.0")], node) is None
